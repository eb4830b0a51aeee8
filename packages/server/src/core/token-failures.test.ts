import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryConnection } from '@tutti/testkit/memory-connection';
import { Disconnect, disconnects, Rejection, rejections } from '@tutti/protocol';
import { VirtualClock } from '@tutti/testkit';
import { CoreNode, nameIsToken } from '@tutti/testkit/core-node';
import { BadToken, type Authenticator } from '../auth/authenticator.ts';
import { KeyedBuckets } from './keyed-buckets.ts';

const guessed = (refused: Error): Promise<never> => {
  refused.cause = new BadToken('the signature is not by a configured key');
  return Promise.reject(refused);
};

/** `bad` is a guess; `other` was issued, for something else; `old` has expired. */
const authenticator: Authenticator = {
  connect: (attempt) =>
    attempt.token === 'bad' ? guessed(new Disconnect(disconnects.invalidToken)) : nameIsToken.connect(attempt),
  refresh: (token, identity) =>
    token === 'bad' ? guessed(new Disconnect(disconnects.invalidToken)) : Promise.resolve(identity),
  subscription: (token) => {
    if (token === 'bad') return guessed(new Rejection(rejections.permissionDenied));
    if (token === 'other') return Promise.reject(new Rejection(rejections.permissionDenied));
    if (token === 'old') return Promise.reject(new Rejection(rejections.tokenExpired));
    return Promise.resolve({});
  },
};

async function start() {
  const clock = new VirtualClock();
  const buckets = new KeyedBuckets({ perSecond: 5 / 60, burst: 5 });
  const tokenFailures = {
    wait: (address: string) => buckets.wait(address, clock.monotonic()),
    failed: (address: string) => {
      buckets.take(address, clock.monotonic());
    },
  };
  const core = await CoreNode.start({ clock, authenticator, tokenFailures });
  const connect = async (token: string, address = '203.0.113.7'): Promise<MemoryConnection> => {
    const connection = new MemoryConnection();
    connection.remoteAddress = address;
    core.connect(token, connection);
    await clock.advanceAsync(0);
    return connection;
  };
  return { core, clock, connect };
}

test('S9: after five bad tokens of an address none of it is looked at until there is room, and nobody else waits', async () => {
  const { core, clock, connect } = await start();
  const friend = await connect('ann');
  for (let n = 0; n < 5; n += 1) assert.equal((await connect('bad')).closedWith?.code, 3500);
  for (const token of ['bad', 'bob']) {
    const refused = await connect(token);
    assert.equal(refused.closedWith, undefined);
    const { error } = refused.replies[0] ?? {};
    assert.deepEqual([error?.code, error?.temporary], [111, true], 'a guess that is right tells nothing');
    assert.equal(error?.message, 'too many bad tokens came from this address: retry in 12000 ms');
  }
  assert.ok((await connect('bob', '203.0.113.8')).replies[0]?.connect !== undefined);
  const [refreshed, subscribed] = friend.command(
    { refresh: { token: 'ann' } },
    { subscribe: { channel: 'chat:a', token: 'good' } },
  );
  await clock.advanceAsync(0);
  assert.ok(friend.replyTo(refreshed)?.refresh !== undefined);
  assert.ok(friend.replyTo(subscribed)?.subscribe !== undefined);
  assert.deepEqual(
    [...core.counters.labelled('tokens_refused')],
    [
      ['connect', 5],
      ['address', 2],
    ],
  );
  await clock.advanceAsync(12_000);
  assert.ok((await connect('bob')).replies[0]?.connect !== undefined, 'after the time it was told');
  assert.equal(friend.closedWith, undefined);
});

test('S9: who guesses subscription tokens loses its connection, and cannot go on with another', async () => {
  const { clock, connect } = await start();
  const [guesser, friend] = [await connect('mallory'), await connect('ann')];
  const guess = { subscribe: { channel: 'chat:a', token: 'bad' } };
  const ids = guesser.command(...Array.from({ length: 100 }, () => guess));
  await clock.advanceAsync(0);
  assert.equal(ids.filter((id) => guesser.replyTo(id)?.error?.code === 103).length, 5);
  assert.equal(guesser.closedWith?.code, disconnects.tooManyRequests.code);
  assert.equal((await connect('mallory')).replies[0]?.error?.code, 111);
  assert.equal(friend.closedWith, undefined);
  const bad = await connect('bad', '203.0.113.9');
  assert.equal(bad.closedWith?.code, 3500);
});

test('S9: tokens that expired, or were issued for something else, are no guesses', async () => {
  const { core, clock, connect } = await start();
  const peer = await connect('ann');
  for (const token of ['old', 'other']) {
    peer.command(...Array.from({ length: 10 }, () => ({ subscribe: { channel: 'chat:a', token } })));
  }
  await clock.advanceAsync(0);
  assert.equal(peer.closedWith, undefined);
  assert.deepEqual([...core.counters.labelled('tokens_refused')], []);
  assert.ok((await connect('bob')).replies[0]?.connect !== undefined);
});

test('S9: a bad token of a refresh counts, too', async () => {
  const { connect, clock } = await start();
  for (let n = 0; n < 5; n += 1) {
    const peer = await connect('ann');
    peer.command({ refresh: { token: 'bad' } });
    await clock.advanceAsync(0);
    assert.equal(peer.closedWith?.code, 3500);
  }
  assert.equal((await connect('ann')).replies[0]?.error?.code, 111);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Codec } from '@tutti/protocol';
import { jsonCodec } from '@tutti/protocol/json';
import { MemoryBroker, type LivePublication } from '@tutti/server/internal';
import { SeededRandom, VirtualClock } from '@tutti/testkit';
import { CoreNode } from '@tutti/testkit/core-node';
import { MemoryConnection } from '@tutti/testkit/memory-connection';
import { SteppedBroker } from '@tutti/testkit/stepped-broker';

const channel = 'chat:general';

interface Setup {
  readonly core: CoreNode;
  readonly clock: VirtualClock;
  readonly peers: readonly MemoryConnection[];
  publish(count: number): Promise<void>;
}

/** Two subscribers on a node whose bus loses what `loses` says. */
async function setup(
  options: { loses?: (live: LivePublication) => boolean; historySize?: number; checkMs?: number } = {},
): Promise<Setup> {
  const clock = new VirtualClock();
  const random = new SeededRandom(5);
  const core = await CoreNode.start({
    clock,
    random,
    broker: new SteppedBroker(new MemoryBroker({ clock, random }), clock, options.loses),
    namespaces: { chat: { historySize: options.historySize ?? 100 }, live: {} },
    positionCheckIntervalMs: options.checkMs ?? 0,
  });
  const peers = ['ann', 'bob'].map((user) => core.connect(user));
  await clock.advanceAsync(0);
  for (const peer of peers) peer.command({ subscribe: { channel } });
  await clock.advanceAsync(0);
  let published = 0;
  const publish = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) {
      published += 1;
      const done = core.node.publish(channel, { data: Buffer.from(String(published)) });
      await clock.advanceAsync(1);
      await done;
    }
  };
  return { core, clock, peers, publish };
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

test('DEL-1: every subscriber sees each publication once, in the order of the log', async () => {
  const { peers, publish } = await setup();
  await publish(50);
  for (const peer of peers) assert.deepEqual(peer.offsets(channel), range(1, 50));
});

test('DEL-7: the bus loses 20 % at random, and subscribers miss nothing', async () => {
  const random = new SeededRandom(11);
  let lost = 0;
  const { core, clock, peers, publish } = await setup({
    loses: () => {
      const loses = random.next() < 0.2;
      if (loses) lost += 1;
      return loses;
    },
    checkMs: 10_000,
  });
  await publish(200);
  await clock.advanceAsync(12_000);
  assert.ok(lost > 20, `${lost} lost`);
  for (const peer of peers) assert.deepEqual(peer.offsets(channel), range(1, 200));
  assert.ok(core.counters.snapshot().gaps_repaired > 0);
});

test('DEL-7, DEL-10: exactly the last publication is lost, and the position check finds it within 10 s', async () => {
  const { clock, peers, publish } = await setup({ loses: (live) => live.publication.offset === 5, checkMs: 10_000 });
  await publish(5);
  assert.deepEqual(peers[0]?.offsets(channel), range(1, 4));
  await clock.advanceAsync(10_001);
  for (const peer of peers) assert.deepEqual(peer.offsets(channel), range(1, 5));
});

test('DEL-9: a gap that the log no longer has ends the subscription with 2500 rather than hide it', async () => {
  const { peers, publish } = await setup({ historySize: 2, loses: (live) => (live.publication.offset ?? 0) < 5 });
  await publish(5);
  for (const peer of peers) {
    assert.deepEqual(peer.offsets(channel), []);
    assert.equal(peer.pushes(channel).at(-1)?.unsubscribe?.code, 2500);
  }
});

test('DEL-9: after 2500 the client comes back, is told what it cannot have, and goes on', async () => {
  const { clock, peers, publish } = await setup({
    historySize: 2,
    loses: (live) => (live.publication.offset ?? 0) < 5,
  });
  await publish(5);
  const [peer] = peers;
  assert.ok(peer);
  const epoch = peer.replies.find((reply) => reply.subscribe !== undefined)?.subscribe?.epoch ?? '';
  const [id] = peer.command({ subscribe: { channel, recover: true, offset: 0, epoch } });
  await clock.advanceAsync(0);
  const answer = peer.replyTo(id)?.subscribe;
  assert.equal(answer?.recovered, false);
  assert.equal(answer?.offset, 5);
  await publish(1);
  assert.deepEqual(peer.offsets(channel), [6]);
});

test('encoded once, however many subscribe; written once, however many are published in a turn', async () => {
  let encoded = 0;
  const counting: Codec = {
    ...jsonCodec,
    encodeReply: (reply) => {
      if (reply.push?.pub !== undefined) encoded += 1;
      return jsonCodec.encodeReply(reply);
    },
  };
  const core = await CoreNode.start();
  const clock = core.clock as VirtualClock;
  const peers = range(1, 20).map((n) => core.connect(`user-${n}`, new MemoryConnection(counting)));
  await clock.advanceAsync(0);
  for (const peer of peers) peer.command({ subscribe: { channel } });
  await clock.advanceAsync(0);
  const writes = peers.map((peer) => peer.writes);
  await Promise.all(range(1, 10).map((n) => core.node.publish(channel, { data: Buffer.from(String(n)) })));
  await clock.advanceAsync(0);
  assert.equal(encoded, 10);
  peers.forEach((peer, i) => {
    assert.deepEqual(peer.offsets(channel), range(1, 10));
    assert.equal(peer.writes - (writes[i] ?? 0), 1);
  });
});

test('a channel that the last subscriber leaves is given up, and can be joined again at once', async () => {
  const { core, clock, peers, publish } = await setup();
  for (const peer of peers) peer.command({ unsubscribe: { channel } });
  const [peer] = peers;
  assert.ok(peer);
  const [id] = peer.command({ subscribe: { channel } });
  await clock.advanceAsync(1);
  assert.ok(peer.replyTo(id)?.subscribe);
  await publish(2);
  assert.deepEqual(peer.offsets(channel), [1, 2]);
  peer.drop();
  await clock.advanceAsync(1);
  assert.equal(core.node.figures(5).channels, 0);
});

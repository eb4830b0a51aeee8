import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Authenticator } from '@tutti/server/internal';
import { VirtualClock } from '@tutti/testkit';
import { CoreNode, nameIsToken, type CoreNodeOptions } from '@tutti/testkit/core-node';
import { type MemoryConnection } from '@tutti/testkit/memory-connection';

const channel = 'chat:general';
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

async function start(options: CoreNodeOptions = {}): Promise<{ core: CoreNode; clock: VirtualClock }> {
  const clock = new VirtualClock();
  return { core: await CoreNode.start({ clock, ...options }), clock };
}

async function open(core: CoreNode, clock: VirtualClock, user = 'ann'): Promise<MemoryConnection> {
  const connection = core.connect(user);
  await clock.advanceAsync(0);
  return connection;
}

test('server-side subscriptions come with the connect, and are recovered from the position it names', async () => {
  const giving: Authenticator = {
    ...nameIsToken,
    connect: (attempt) => Promise.resolve({ user: attempt.token, channels: [channel], capabilities: [] }),
  };
  const { core, clock } = await start({
    authenticator: giving,
    namespaces: { chat: { historySize: 100 }, personal: { historySize: 10 } },
  });
  const peer = await open(core, clock);
  const subs = peer.replies[0]?.connect?.subs;
  assert.deepEqual(Object.keys(subs ?? {}).sort(), [channel, 'personal:ann']);
  const { epoch = '', offset = 0 } = subs?.[channel] ?? {};
  peer.drop();
  for (let i = 1; i <= 3; i += 1) await core.node.publish(channel, { data: text(String(i)) });
  const back = core.link();
  back.command({ connect: { token: 'ann', subs: { [channel]: { recover: true, epoch, offset } } } });
  await clock.advanceAsync(0);
  const recovered = back.replies[0]?.connect?.subs?.[channel];
  assert.equal(recovered?.recovered, true);
  assert.deepEqual(
    recovered?.publications?.map((publication) => publication.offset),
    [1, 2, 3],
  );
  await core.node.publish(channel, { data: text('4') });
  await clock.advanceAsync(0);
  assert.deepEqual(back.offsets(channel), [4]);
});

test('BP-1: who comes back to many channels of the server is answered within the bound, and given the rest as it drains', async () => {
  const channels = Array.from({ length: 30 }, (_, i) => `chat:${i}`);
  const giving: Authenticator = {
    ...nameIsToken,
    connect: (attempt) => Promise.resolve({ user: attempt.token, channels, capabilities: [] }),
  };
  const { core, clock } = await start({
    authenticator: giving,
    namespaces: { chat: { historySize: 100 } },
    limits: { outboundBytesMax: 256 * 1024 },
  });
  const peer = await open(core, clock);
  const before = peer.replies[0]?.connect?.subs ?? {};
  peer.drop();
  const data = text(JSON.stringify('x'.repeat(10_000)));
  for (const name of channels) for (let i = 0; i < 4; i += 1) await core.node.publish(name, { data });
  const subs = Object.fromEntries(
    Object.entries(before).map(([name, { epoch = '', offset = 0 }]) => [name, { recover: true, epoch, offset }]),
  );
  const back = core.link();
  back.command({ connect: { token: 'ann', subs } });
  await clock.advanceAsync(1_000);
  const answer = back.replies[0]?.connect?.subs ?? {};
  const inAnswer = (name: string): number[] => (answer[name]?.publications ?? []).map(({ offset = 0 }) => offset);
  const answered = channels.flatMap(inAnswer).length * data.length;
  assert.ok(answered <= 128 * 1024, `${answered} bytes in the answer`);
  for (const name of channels) {
    assert.equal(answer[name]?.recovered, true);
    assert.deepEqual([...inAnswer(name), ...back.offsets(name)], [1, 2, 3, 4], name);
  }
});

test('PRE-2: two devices of a user are two members; stats count one user', async () => {
  const { core, clock } = await start();
  const phone = await open(core, clock);
  const laptop = await open(core, clock);
  for (const peer of [phone, laptop]) peer.command({ subscribe: { channel } });
  await clock.advanceAsync(0);
  const [stats] = phone.command({ presence_stats: { channel } });
  const [list] = phone.command({ presence: { channel } });
  await clock.advanceAsync(0);
  assert.deepEqual(phone.replyTo(stats)?.presence_stats, { num_clients: 2, num_users: 1 });
  assert.equal(Object.keys(phone.replyTo(list)?.presence?.presence ?? {}).length, 2);
});

test('PRE-1: after a clean close the member is gone at once', async () => {
  const { core, clock } = await start();
  const peer = await open(core, clock);
  const watcher = await open(core, clock, 'bob');
  for (const each of [peer, watcher]) each.command({ subscribe: { channel } });
  await clock.advanceAsync(0);
  peer.drop();
  const [stats] = watcher.command({ presence_stats: { channel } });
  await clock.advanceAsync(0);
  assert.deepEqual(watcher.replyTo(stats)?.presence_stats, { num_clients: 1, num_users: 1 });
});

test('S20: subscriptions of a connection are bounded, and a closed session leaves nothing behind', async () => {
  const { core, clock } = await start({ limits: { subscriptionsMax: 5 } });
  const peer = await open(core, clock);
  const ids = Array.from({ length: 8 }, (_, i) => peer.command({ subscribe: { channel: `chat:${i}` } })[0]);
  await clock.advanceAsync(0);
  assert.deepEqual(
    ids.map((id) => peer.replyTo(id)?.error?.code),
    [undefined, undefined, undefined, undefined, undefined, 106, 106, 106],
  );
  peer.drop();
  await clock.advanceAsync(0);
  assert.deepEqual(core.node.figures(5), { connections: 0, channels: 0, subscriptions: 0, topChannels: [] });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { disconnects, Rejection, rejections, type Reply } from '@tutti/protocol';
import { jsonCodec } from '@tutti/protocol/json';
import { protobufCodec } from '@tutti/protocol/protobuf';
import { MemoryBroker, type Authenticator, type HistoryQuery } from '@tutti/server/internal';
import { SeededRandom, VirtualClock } from '@tutti/testkit';
import { CoreNode, nameIsToken, type CoreNodeOptions } from '@tutti/testkit/core-node';
import { MemoryConnection } from '@tutti/testkit/memory-connection';

const channel = 'chat:general';
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

async function start(options: CoreNodeOptions = {}): Promise<{ core: CoreNode; clock: VirtualClock }> {
  const clock = (options.clock as VirtualClock | undefined) ?? new VirtualClock();
  return { core: await CoreNode.start({ clock, ...options }), clock };
}

async function open(
  core: CoreNode,
  clock: VirtualClock,
  user: string,
  link = new MemoryConnection(),
): Promise<MemoryConnection> {
  core.connect(user, link);
  await clock.advanceAsync(0);
  return link;
}

/** A broker whose `history` waits until the test lets it go on. */
class HeldBroker extends MemoryBroker {
  readonly held: (() => void)[] = [];

  override async history(name: string, query: HistoryQuery): ReturnType<MemoryBroker['history']> {
    if (query.limit > 0) await new Promise<void>((resolve) => this.held.push(resolve));
    return super.history(name, query);
  }
}

test('DEL-9, BP-1: a client that missed much in a hundred channels is given all of it, at its own pace', async () => {
  const { core, clock } = await start({
    namespaces: { chat: { historySize: 1_000 } },
    limits: { inFlightBytesMax: 16 * 1024 },
  });
  const names = Array.from({ length: 100 }, (_, i) => `chat:room-${i}`);
  const data = text(`"${'x'.repeat(400)}"`);
  for (const name of names) for (let n = 0; n < 300; n += 1) await core.node.publish(name, { data });
  const epochs = await Promise.all(names.map(async (name) => (await core.node.history(name, { limit: 0 })).top.epoch));
  const peer = core.link();
  peer.stalled = true;
  const subscribes = names.map((name, i) => ({
    subscribe: { channel: name, recover: true, offset: 0, epoch: epochs[i] ?? '' },
  }));
  peer.command({ connect: { token: 'ann' } }, ...subscribes);
  let most = 0;
  const seen = (reply: Reply): number =>
    (reply.subscribe?.publications?.length ?? 0) + (reply.push?.pub === undefined ? 0 : 1);
  const total = (): number => peer.replies.reduce((sum, reply) => sum + seen(reply), 0);
  for (let turns = 0; turns < 5_000 && total() < 30_000; turns += 1) {
    await clock.advanceAsync(1);
    most = Math.max(most, peer.inFlight);
    peer.read(5);
    peer.stalled = true;
  }
  assert.equal(peer.closedWith, undefined);
  assert.equal(total(), 30_000);
  for (const name of names) {
    const own = peer.offsets(name);
    const first = peer.replies.find(
      (reply) => reply.subscribe !== undefined && peer.asked.get(reply.id ?? 0)?.subscribe?.channel === name,
    );
    const offsets = [...(first?.subscribe?.publications?.map((publication) => publication.offset ?? 0) ?? []), ...own];
    assert.deepEqual(
      offsets,
      Array.from({ length: 300 }, (_, n) => n + 1),
      name,
    );
  }
  assert.ok(most < 600_000, `${most} bytes in flight at most`);
});

test('BP-1: commands that wait behind another of their channel are counted, and refused with 111', async () => {
  const clock = new VirtualClock();
  const broker = new HeldBroker({ clock, random: new SeededRandom(1) });
  const { core } = await start({
    clock,
    broker,
    namespaces: { chat: { historySize: 10 } },
    limits: { pendingCommandsMax: 50 },
  });
  const peer = await open(core, clock, 'ann');
  for (let i = 0; i < 500; i += 1) peer.command({ history: { channel, limit: 5 } });
  await clock.advanceAsync(0);
  const refused = peer.replies.filter((reply) => reply.error?.code === rejections.tooManyRequests.code);
  assert.equal(refused.length, 450);
  for (let i = 0; i < 50; i += 1) {
    broker.held.shift()?.();
    await clock.advanceAsync(0);
  }
  assert.equal(
    peer.replies.filter((reply) => reply.history !== undefined).length,
    50,
    'each that was taken is answered',
  );
});

test('S13: binary payloads reach no JSON connection: not by subscription, not from the server, not by history', async () => {
  const giving: Authenticator = {
    ...nameIsToken,
    connect: (attempt) =>
      Promise.resolve({ user: attempt.token, channels: attempt.token === 'given' ? ['raw:x'] : [], capabilities: [] }),
  };
  const { core, clock } = await start({
    authenticator: giving,
    namespaces: { raw: { payload: 'binary', historySize: 5 } },
  });
  const forger = await open(core, clock, 'forger', new MemoryConnection(protobufCodec));
  forger.command({
    publish: { channel: 'raw:x', data: text('1},"disconnect":{"code":3503,"reason":"x"},"x":{"y":1') },
  });
  const victim = await open(core, clock, 'ann');
  const ids = victim.command({ subscribe: { channel: 'raw:x' } }, { history: { channel: 'raw:x', limit: 5 } });
  const given = await open(core, clock, 'given');
  await clock.advanceAsync(0);
  assert.deepEqual(
    ids.map((id) => victim.replyTo(id)?.error?.code),
    [108, 108],
  );
  assert.equal(given.replies[0]?.error?.code, 108);
  for (const reply of [...victim.replies, ...given.replies]) assert.equal(reply.push, undefined);
});

test("S34: a client's idempotency key is never the application's, not even an anonymous client's", async () => {
  const { core, clock } = await start();
  const stranger = await open(core, clock, '');
  stranger.command({ publish: { channel, data: text('1'), idempotency_key: 'order-17' } });
  await clock.advanceAsync(0);
  // As wiring.ts prefixes it.
  const outcome = await core.node.publish(channel, { data: text('2') }, { idempotencyKey: 'a\norder-17' });
  assert.equal(outcome.duplicate, false);
  assert.equal(outcome.position?.offset, 2);
});

test('an expiry thousands of years ahead is told as the latest that clients understand', async () => {
  const late: Authenticator = {
    ...nameIsToken,
    connect: () =>
      Promise.resolve({ user: 'ann', channels: [], capabilities: [], expiresAtMs: Date.UTC(9999, 1) * 1_000 }),
  };
  for (const link of [new MemoryConnection(), new MemoryConnection(protobufCodec)]) {
    const { core, clock } = await start({ authenticator: late });
    const peer = await open(core, clock, 'ann', link);
    assert.equal(peer.replies[0]?.connect?.ttl, 2 ** 31 - 1);
  }
});

test('S23: an error of the application that no codec carries ends one connection, and no process', async () => {
  const bad = (): never => {
    throw new Rejection({ code: -1, name: 'mine', message: 'no', remedy: '', temporary: false });
  };
  const { core, clock } = await start({ rpc: { bad } });
  const [ann, bob] = [await open(core, clock, 'ann'), await open(core, clock, 'bob')];
  ann.command({ rpc: { method: 'bad' } });
  await clock.advanceAsync(0);
  assert.equal(ann.closedWith?.code, disconnects.internal.code);
  assert.equal(bob.closedWith, undefined);
  assert.equal(core.counters.snapshot().bugs, 1);
});

test('S23: marks that no codec carries are refused, and nobody else is hurt', async () => {
  const { core, clock } = await start();
  const peer = await open(core, clock, 'ann');
  peer.command({ subscribe: { channel } });
  await clock.advanceAsync(0);
  const tags = { a: undefined } as unknown as Record<string, string>;
  assert.throws(() => core.node.publish(channel, { data: text('1'), tags }), { name: 'Rejection' });
  await core.node.publish(channel, { data: text('2') });
  await clock.advanceAsync(0);
  assert.equal(peer.offsets(channel).length, 1);
});

test('a token that names a channel that cannot be refuses the connect, and leaves nothing half joined', async () => {
  const giving: Authenticator = {
    ...nameIsToken,
    connect: () => Promise.resolve({ user: 'ann', channels: [channel, 'nowhere:x'], capabilities: [] }),
  };
  const { core, clock } = await start({ authenticator: giving });
  const peer = await open(core, clock, 'ann');
  assert.equal(peer.replies[0]?.error?.code, 102);
  assert.equal(core.node.figures(1).subscriptions, 0);
});

test('a connect time-out longer than a turn of the wheel is kept', async () => {
  const { core, clock } = await start({ limits: { connectTimeoutMs: 200_000 } });
  const peer = core.link();
  await clock.advanceAsync(199_000);
  assert.equal(peer.closedWith, undefined);
  await clock.advanceAsync(2_000);
  assert.equal(peer.closedWith, disconnects.stale);
});

test('a connect that the server is slow to judge ends with a code that says come back', async () => {
  const slow: Authenticator = { ...nameIsToken, connect: () => new Promise(() => undefined) };
  const { core, clock } = await start({ authenticator: slow });
  const peer = core.link();
  peer.command({ connect: { token: 'ann' } });
  await clock.advanceAsync(11_000);
  assert.equal(peer.closedWith, disconnects.internal);
});

test('CON-1: a slow reader that goes on confirming is not taken for dead', async () => {
  const { core, clock } = await start();
  const peer = await open(core, clock, 'ann');
  for (let i = 0; i < 30; i += 1) {
    await clock.advanceAsync(4_000);
    if (peer.pings > 0) peer.read(4_000);
  }
  assert.equal(peer.closedWith, undefined);
  await clock.advanceAsync(9_000);
  assert.equal(peer.closedWith, disconnects.noPong, 'silence ends it all the same');
});

test('an rpc method that never answers is given up, and its place is free again', async () => {
  const { core, clock } = await start({
    rpc: { never: () => new Promise(() => undefined) },
    limits: { pendingCommandsMax: 2, rpcTimeoutMs: 5_000 },
  });
  const peer = await open(core, clock, 'ann');
  const [first] = peer.command({ rpc: { method: 'never' } });
  peer.command({ rpc: { method: 'never' } });
  await clock.advanceAsync(5_001);
  assert.equal(peer.replyTo(first)?.error?.code, rejections.internal.code);
  const [third] = peer.command({ rpc: { method: 'never' } });
  await clock.advanceAsync(1);
  assert.equal(peer.replyTo(third), undefined, 'taken, not refused');
});

test('DEL-3: an epoch that changes while somebody joins costs them no publication', async () => {
  const clock = new VirtualClock();
  const random = new SeededRandom(1);
  const broker = new MemoryBroker({ clock, random, channelsMax: 1 });
  const { core } = await start({ clock, broker, namespaces: { chat: { historySize: 10 } } });
  const peer = await open(core, clock, 'ann');
  peer.command({ subscribe: { channel } });
  await clock.advanceAsync(0);
  await core.node.publish(channel, { data: text('1') });
  // Another channel takes the only place: this one's next life has another epoch.
  await core.node.publish('chat:other', { data: text('1') });
  await core.node.publish(channel, { data: text('2') });
  await clock.advanceAsync(0);
  assert.equal(peer.pushes(channel).at(-1)?.unsubscribe?.code, 2500, 'told, not hidden');
  const [again] = peer.command({ subscribe: { channel, recover: true, offset: 1, epoch: 'old' } });
  await clock.advanceAsync(0);
  assert.equal(peer.replyTo(again)?.subscribe?.recovered, false);
});

test('S12: __proto__ and its kin are ordinary words: as channel, user, method, tag and key', async () => {
  const { core, clock } = await start();
  const peer = await open(core, clock, '__proto__');
  for (const name of ['chat:__proto__', 'chat:constructor']) {
    peer.command(
      { subscribe: { channel: name } },
      { publish: { channel: name, data: text('1'), key: '__proto__', idempotency_key: '__proto__' } },
    );
  }
  peer.receive(text('{"id":900,"subscribe":{"channel":"chat:a","__proto__":{"recover":true}}}'));
  peer.receive(text('{"id":901,"publish":{"channel":"chat:a","data":{"__proto__":{"admin":true}}}}'));
  await clock.advanceAsync(0);
  assert.equal(peer.closedWith, undefined);
  const [list] = peer.command({ presence: { channel: 'chat:__proto__' } });
  await clock.advanceAsync(0);
  assert.deepEqual(
    Object.values(peer.replyTo(list)?.presence?.presence ?? {}).map((member) => member.user),
    ['__proto__'],
  );
  assert.equal(peer.replyTo(900)?.subscribe?.was_recovering, undefined);
  assert.equal(new TextDecoder().decode(peer.pushes('chat:a').at(-1)?.pub?.data), '{"__proto__":{"admin":true}}');
  assert.equal(({} as { admin?: boolean }).admin, undefined);
});

test('S21: who sends commands faster than allowed is read later, and is refused nothing', async () => {
  const { core, clock } = await start({ limits: { commandRateMax: 20 } });
  const flood = await open(core, clock, 'mallory');
  const calm = await open(core, clock, 'ann');
  for (let i = 0; i < 30; i += 1) flood.command({ presence_stats: { channel } });
  for (let i = 0; i < 100; i += 1) {
    calm.command({ presence_stats: { channel } });
    await clock.advanceAsync(50);
  }
  assert.ok(flood.heldMs > 0);
  assert.equal(calm.heldMs, 0);
  assert.ok((core.counters.snapshot().connections_held ?? 0) > 0);
  assert.equal(flood.replies.filter((reply) => reply.error !== undefined).length, 0);
  assert.equal(flood.closedWith, undefined);
});

test('S21: who sends bytes faster than allowed is read later, and is refused nothing', async () => {
  const { core, clock } = await start({ limits: { receivedBytesRateMax: 4_096 } });
  const flood = await open(core, clock, 'mallory');
  const calm = await open(core, clock, 'ann');
  const data = text(`"${'x'.repeat(2_000)}"`);
  const ids = flood.command(...Array.from({ length: 5 }, () => ({ publish: { channel, data } })));
  calm.command({ publish: { channel, data } });
  await clock.advanceAsync(0);
  assert.ok(flood.heldMs > 1_000, `${flood.heldMs}`);
  assert.equal(calm.heldMs, 0);
  assert.ok(ids.every((id) => flood.replyTo(id)?.publish !== undefined));
});

test('S22: many large answers asked for at once are made in turns of the loop', async () => {
  const { core, clock } = await start({ namespaces: { chat: { historySize: 100 } } });
  for (let i = 0; i < 50; i += 1) await core.node.publish(channel, { data: text(`"${'x'.repeat(4_000)}"`) });
  let made = 0;
  const counting: typeof jsonCodec = {
    ...jsonCodec,
    encodeReply: (reply) => {
      if (reply.history !== undefined) made += 1;
      return jsonCodec.encodeReply(reply);
    },
  };
  const greedy = await open(core, clock, 'mallory', new MemoryConnection(counting));
  greedy.stalled = true;
  greedy.command(...Array.from({ length: 20 }, () => ({ history: { channel, limit: 50 } })));
  // All that can happen without another turn of the node's loop, happens.
  for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(made, 1);
  await clock.advanceAsync(0);
  for (let i = 0; i < 40; i += 1) await clock.advanceAsync(1);
  assert.equal(made, 20);
  assert.equal(greedy.closedWith, undefined);
});

test('S22: many large lists of members asked for at once are made in turns of the loop', async () => {
  const { core, clock } = await start({ namespaces: { chat: { presence: true } } });
  const info = text(`"${'x'.repeat(4_000)}"`);
  for (let i = 0; i < 50; i += 1) {
    await core.presence.add(channel, { client: `client-${i}`, user: 'ann', conn_info: info });
  }
  let made = 0;
  const counting: typeof jsonCodec = {
    ...jsonCodec,
    encodeReply: (reply) => {
      if (reply.presence !== undefined) made += 1;
      return jsonCodec.encodeReply(reply);
    },
  };
  const greedy = await open(core, clock, 'mallory', new MemoryConnection(counting));
  greedy.stalled = true;
  greedy.command(...Array.from({ length: 20 }, () => ({ presence: { channel } })));
  for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(made, 1);
  for (let i = 0; i < 40; i += 1) await clock.advanceAsync(1);
  assert.equal(made, 20);
  assert.equal(greedy.closedWith, undefined);
});

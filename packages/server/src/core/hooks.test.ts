import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Disconnect, Rejection, rejections, type Command } from '@tutti/protocol';
import type { ConnectAsk, HookAsk, Hooks, PublishAsk, RefreshGrant, SubscribeAsk } from '@tutti/server/internal';
import { VirtualClock } from '@tutti/testkit';
import { CoreNode, type CoreNodeOptions } from '@tutti/testkit/core-node';
import type { MemoryConnection } from '@tutti/testkit/memory-connection';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const textOf = (payload: Uint8Array | undefined): string => new TextDecoder().decode(payload);
const hooked = { subscribeHook: true, publishHook: true, allowSubscribe: 'token', allowPublish: 'nobody' } as const;

async function start(hooks: Partial<Hooks>, options: CoreNodeOptions = {}) {
  const clock = new VirtualClock();
  const core = await CoreNode.start({
    clock,
    hooks: { connectFor: 'no_token', ...hooks },
    namespaces: { chat: { historySize: 100, ...hooked }, open: {} },
    ...options,
  });
  const settle = (): Promise<void> => clock.advanceAsync(0);
  const open = async (token = ''): Promise<MemoryConnection> => {
    const connection = core.connect(token);
    await settle();
    return connection;
  };
  const asked = async (peer: MemoryConnection, ...commands: Command[]) => {
    const ids = peer.command(...commands);
    await settle();
    return ids.map((id) => peer.replyTo(id));
  };
  return { core, clock, open, asked, settle };
}

const everybody = (ask: ConnectAsk) => Promise.resolve({ user: ask.user || 'guest', channels: [], capabilities: [] });

test('a connect hook lets in who has no token, and gives what an identity has', async () => {
  const asks: ConnectAsk[] = [];
  const { core, open, asked } = await start({
    connect: (ask) => {
      asks.push(ask);
      return Promise.resolve({
        user: 'ann',
        info: bytes('{"name":"Ann"}'),
        data: bytes('{"welcome":true}'),
        meta: bytes('1'),
        channels: ['open:news'],
        capabilities: [{ channels: ['chat:*'], allow: ['history'] }],
      });
    },
  });
  const peer = await open();
  const result = peer.replies[0]?.connect;
  assert.equal(textOf(result?.data), '{"welcome":true}');
  assert.deepEqual(Object.keys(result?.subs ?? {}), ['open:news']);
  assert.equal(core.node.directory.users, 1);
  const [history] = await asked(peer, { history: { channel: 'chat:a' } });
  assert.ok(history?.history !== undefined, 'by the capability');
  const [{ user, isVerified, client } = {} as ConnectAsk] = asks;
  assert.deepEqual([asks.length, user, isVerified, client], [1, '', false, result?.client]);
  assert.ok((await open('bob')).replies[0]?.connect !== undefined);
  assert.equal(asks.length, 1, 'a token needs no word of the application');
});

test('connectFor everyone: a token is verified first, and the hook adds to it', async () => {
  const asks: ConnectAsk[] = [];
  const { open, asked } = await start({
    connectFor: 'everyone',
    connect: (ask) => {
      asks.push(ask);
      const capabilities = [{ channels: ['chat:*'], allow: ['history'] as const }];
      return Promise.resolve({ user: ask.user, channels: [], capabilities });
    },
  });
  const bad = await open('bad');
  assert.deepEqual([asks.length, bad.closedWith?.code], [0, 3_500]);
  const peer = await open('ann');
  assert.deepEqual([asks[0]?.user, asks[0]?.isVerified], ['ann', true]);
  const history = { history: { channel: 'chat:a' } };
  assert.ok((await asked(peer, history))[0]?.history !== undefined);
  await asked(peer, { refresh: { token: 'ann' } });
  assert.ok((await asked(peer, history))[0]?.history !== undefined, 'what the hook added outlives the token');
});

test('a connect hook that refuses, ends the connection, or cannot be asked', async () => {
  const verdicts = [
    new Rejection({ code: 700, name: 'x', message: 'closed', remedy: '', temporary: true }),
    new Disconnect({ code: 4_500, reason: 'banned', meaning: '' }),
    new Rejection(rejections.hookUnavailable),
  ];
  const { open } = await start({ connect: () => Promise.reject(verdicts.shift()!) });
  assert.deepEqual((await open()).replies[0]?.error, { code: 700, message: 'closed', temporary: true });
  assert.equal((await open()).closedWith?.code, 4_500);
  const { code, message } = rejections.hookUnavailable;
  assert.deepEqual((await open()).replies[0]?.error, { code, message, temporary: true });
});

test('S10: a subscribe hook is asked in its namespaces only, with the canonical name; denied is denied', async () => {
  const asks: SubscribeAsk[] = [];
  const { open, asked } = await start({
    subscribe: (ask) => {
      asks.push(ask);
      if (ask.channel !== 'chat:a') return Promise.reject(new Rejection(rejections.permissionDenied));
      return Promise.resolve({ data: bytes('{"topic":"tea"}'), info: bytes('"host"') });
    },
  });
  const peer = await open('ann');
  const [mine, theirs, free] = await asked(
    peer,
    { subscribe: { channel: 'chat:a', data: bytes('[1]') } },
    { subscribe: { channel: 'chat:b' } },
    { subscribe: { channel: 'open:a' } },
  );
  assert.equal(textOf(mine?.subscribe?.data), '{"topic":"tea"}');
  assert.equal(theirs?.error?.code, 103);
  assert.ok(free?.subscribe !== undefined);
  assert.deepEqual(
    asks.map(({ channel, user, data }) => [channel, user, textOf(data)]),
    [
      ['chat:a', 'ann', '[1]'],
      ['chat:b', 'ann', ''],
    ],
  );
  const [withToken] = await asked(peer, { subscribe: { channel: 'chat:c', token: 'any' } });
  assert.ok(withToken?.subscribe !== undefined, 'a subscription token needs no word of the application');
  assert.equal(asks.length, 2);
});

test('S10: a namespace that asks a hook which is not there denies', async () => {
  const { open, asked } = await start({});
  const peer = await open('ann');
  const [subscribe, publish] = await asked(
    peer,
    { subscribe: { channel: 'chat:a' } },
    { publish: { channel: 'chat:a', data: bytes('1') } },
  );
  assert.deepEqual([subscribe?.error?.code, publish?.error?.code], [122, 122]);
});

test('a session that ends while its hook is asked is left nowhere', async () => {
  const answer = Promise.withResolvers<Record<string, never>>();
  const { core, open, settle } = await start({ subscribe: () => answer.promise });
  const peer = await open('ann');
  peer.command({ subscribe: { channel: 'chat:a' } });
  await settle();
  peer.drop();
  answer.resolve({});
  await settle();
  const { connections, channels, subscriptions } = core.node.figures(0);
  assert.deepEqual([connections, channels, subscriptions], [0, 0, 0]);
});

test('DEL-1: publishes of a connection keep their order behind a slow hook; another channel goes on', async () => {
  const waiting: { ask: PublishAsk; allow: () => void }[] = [];
  const { core, open, asked, settle } = await start({
    subscribe: () => Promise.resolve({}),
    publish: (ask) =>
      new Promise((resolve) => {
        waiting.push({ ask, allow: () => resolve(textOf(ask.data) === '2' ? { data: bytes('"two"') } : {}) });
      }),
  });
  const reader = await open('bob');
  await asked(reader, { subscribe: { channel: 'chat:a' } });
  const writer = await open('ann');
  await asked(
    writer,
    { publish: { channel: 'chat:a', data: bytes('1'), idempotency_key: 'k1' } },
    { publish: { channel: 'chat:a', data: bytes('2') } },
    { publish: { channel: 'chat:b', data: bytes('3') } },
    { publish: { channel: 'open:a', data: bytes('4') } },
  );
  assert.deepEqual(
    waiting.map(({ ask }) => [ask.channel, textOf(ask.data), ask.idempotencyKey]),
    [
      ['chat:a', '1', 'k1'],
      ['chat:b', '3', undefined],
    ],
  );
  for (let i = 0; i < 3; i += 1) {
    for (const { allow } of waiting.splice(0)) allow();
    await settle();
  }
  await core.node.publish('chat:a', { data: bytes('5') });
  await settle();
  const seen = reader.pushes('chat:a').map((push) => textOf(push.pub?.data));
  assert.deepEqual(seen, ['1', '"two"', '5'], 'the application itself is not asked');
  assert.ok([...writer.asked.keys()].every((id) => writer.replyTo(id)?.error === undefined));
});

test('a publish hook decides also about those with a capability', async () => {
  const { open, asked } = await start({
    connect: () =>
      Promise.resolve({ user: 'ann', channels: [], capabilities: [{ channels: ['*'], allow: ['publish'] }] }),
    publish: () => Promise.reject(new Rejection(rejections.permissionDenied)),
  });
  const peer = await open();
  const [refused] = await asked(peer, { publish: { channel: 'chat:a', data: bytes('1') } });
  assert.equal(refused?.error?.code, 103);
});

test('S21: one connection has a few calls under way, its others wait, and nobody else does', async () => {
  let underWay = 0;
  const release: (() => void)[] = [];
  const { open, settle } = await start({
    rpc: () => {
      underWay += 1;
      return new Promise((resolve) => {
        release.push(() => resolve({}));
      });
    },
  });
  const flood = await open('ann');
  const ids = flood.command(...Array.from({ length: 50 }, () => ({ rpc: { method: 'slow', data: bytes('1') } })));
  await settle();
  assert.equal(underWay, 8);
  (await open('bob')).command({ rpc: { method: 'slow' } });
  await settle();
  assert.equal(underWay, 9);
  while (release.length > 0) {
    for (const each of release.splice(0)) each();
    await settle();
  }
  assert.deepEqual([underWay, ids.filter((id) => flood.replyTo(id)?.rpc === undefined).length], [51, 0]);
});

test('an rpc hook answers for methods that are not registered', async () => {
  const { open, asked } = await start(
    { rpc: (ask) => Promise.resolve({ data: bytes(`"${ask.method} by hook"`) }) },
    { rpc: { known: () => 'by handler' } },
  );
  const replies = await asked(await open('ann'), { rpc: { method: 'known' } }, { rpc: { method: 'other' } });
  assert.deepEqual(
    replies.map((reply) => textOf(reply?.rpc?.data)),
    ['"by handler"', '"other by hook"'],
  );
});

function expiring(refresh: (ask: HookAsk) => Promise<RefreshGrant>, refreshAlso = true) {
  const clock = new VirtualClock();
  const at = (seconds: number): number => clock.now() + seconds * 1_000;
  const hooks: Partial<Hooks> = {
    connect: async (ask) => ({ ...(await everybody(ask)), expiresAtMs: at(60), meta: bytes('7') }),
    subscribe: () => Promise.resolve({ expiresAtMs: at(30) }),
    ...(refreshAlso ? { refresh, subRefresh: refresh } : {}),
  };
  return { clock, at, started: start(hooks, { clock }) };
}

async function opened({ clock, started }: ReturnType<typeof expiring>): Promise<MemoryConnection> {
  const { core } = await started;
  const peer = core.connect('');
  await clock.advanceAsync(0);
  peer.command({ subscribe: { channel: 'chat:a' } });
  await clock.advanceAsync(0);
  assert.deepEqual([peer.replies[0]?.connect?.expires, peer.replyTo(2)?.subscribe?.expires], [undefined, undefined]);
  return peer;
}

const codeOf = (peer: MemoryConnection): number | undefined => peer.closedWith?.code;

/** A client that answers pings. */
async function pass(clock: VirtualClock, peer: MemoryConnection, seconds: number): Promise<void> {
  let answered = peer.pings;
  for (let i = 0; i < seconds && peer.closedWith === undefined; i += 1) {
    await clock.advanceAsync(1_000);
    for (; answered < peer.pings; answered += 1) peer.pong();
  }
}

test('CON-5: the node itself asks for a refresh of what a hook let in, and the client notices nothing', async () => {
  const asks: [number, string | undefined][] = [];
  const scene = expiring((ask) => {
    asks.push([Math.round(scene.clock.monotonic() / 1_000), textOf(ask.meta)]);
    return Promise.resolve({ expiresAtMs: scene.at(60) });
  });
  const peer = await opened(scene);
  await pass(scene.clock, peer, 170);
  assert.equal(peer.closedWith, undefined);
  assert.equal(peer.replies.length, 2, 'the answers to connect and subscribe');
  assert.ok(asks.length >= 4 && asks.length <= 6, JSON.stringify(asks));
  assert.ok(asks.every(([, meta]) => meta === '7'));
});

test('CON-5: what the application ends, ends; without a refresh hook the grace does', async () => {
  const ended = expiring(() => Promise.resolve({ expiresAtMs: 0 }));
  const peer = await opened(ended);
  await pass(ended.clock, peer, 45);
  assert.equal(peer.pushes('chat:a')[0]?.unsubscribe?.code, 2_501);
  await pass(ended.clock, peer, 30);
  assert.equal(codeOf(peer), 3_005);

  const graced = expiring(() => Promise.reject(new Error('never asked')), false);
  const other = await opened(graced);
  await pass(graced.clock, other, 82);
  assert.equal(other.closedWith, undefined);
  await pass(graced.clock, other, 8);
  assert.equal(codeOf(other), 3_005);
});

test('CON-5: while the application cannot be asked it is asked again, and the grace holds', async () => {
  let isDown = true;
  let asks = 0;
  const scene = expiring(() => {
    asks += 1;
    return isDown
      ? Promise.reject(new Rejection(rejections.hookUnavailable))
      : Promise.resolve({ expiresAtMs: scene.at(1_000) });
  });
  const peer = await opened(scene);
  await pass(scene.clock, peer, 45);
  assert.ok(asks >= 5, String(asks));
  isDown = false;
  await pass(scene.clock, peer, 5);
  const asksWhenBack = asks;
  await pass(scene.clock, peer, 10);
  assert.deepEqual([asks, peer.closedWith, peer.pushes('chat:a')], [asksWhenBack, undefined, []]);
  isDown = true;
  await pass(scene.clock, peer, 40);
  assert.equal(codeOf(peer), 3_005);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { disconnects, rejections, Rejection } from '@tutti/protocol';
import { protobufCodec } from '@tutti/protocol/protobuf';
import type { Authenticator, Identity } from '@tutti/server/internal';
import { VirtualClock } from '@tutti/testkit';
import { CoreNode, nameIsToken, type CoreNodeOptions } from '@tutti/testkit/core-node';
import { MemoryConnection } from '@tutti/testkit/memory-connection';

const channel = 'chat:general';
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

async function start(options: CoreNodeOptions = {}): Promise<{ core: CoreNode; clock: VirtualClock }> {
  const clock = new VirtualClock();
  return { core: await CoreNode.start({ clock, ...options }), clock };
}

async function open(
  core: CoreNode,
  clock: VirtualClock,
  user = 'ann',
  connection = new MemoryConnection(),
): Promise<MemoryConnection> {
  core.connect(user, connection);
  await clock.advanceAsync(0);
  return connection;
}

test('connect is answered with the client id, the ping interval, the bound of frames and the node', async () => {
  const { core, clock } = await start();
  const peer = await open(core, clock);
  const result = peer.replies[0]?.connect;
  assert.equal(result?.ping, 25);
  assert.equal(result?.pong, true);
  assert.equal(result?.frame_bytes_max, 64 * 1024);
  assert.equal(result?.node, 'node-1');
  assert.ok((result?.client.length ?? 0) >= 16);
});

test('subscribes in the same frame as the connect wait for it, and are answered in order', async () => {
  const { core, clock } = await start();
  const peer = core.link();
  const ids = peer.command(
    { connect: { token: 'ann' } },
    { subscribe: { channel } },
    { publish: { channel, data: text('1') } },
  );
  await clock.advanceAsync(0);
  const answered = peer.replies.flatMap((reply) => reply.id ?? []);
  assert.deepEqual(answered.slice(0, 2), ids.slice(0, 2));
  assert.deepEqual(peer.offsets(channel), [1]);
});

test('after a refused connect nothing of its frame is acted on, and the connection ends as stale', async () => {
  const refusing: Authenticator = {
    ...nameIsToken,
    connect: () => Promise.reject(new Rejection(rejections.tokenExpired)),
  };
  const { core, clock } = await start({ authenticator: refusing });
  const peer = core.link();
  peer.command({ connect: { token: 'old' } }, { subscribe: { channel } });
  await clock.advanceAsync(0);
  assert.deepEqual(
    peer.replies.map((reply) => reply.error?.code),
    [109],
  );
  assert.equal(core.node.figures(5).subscriptions, 0);
  await clock.advanceAsync(10_500);
  assert.equal(peer.closedWith, disconnects.stale);
});

test('S3: whoever does not connect in time is closed as stale', async () => {
  const { core, clock } = await start();
  const peer = core.link();
  await clock.advanceAsync(9_900);
  assert.equal(peer.closedWith, undefined);
  await clock.advanceAsync(600);
  assert.equal(peer.closedWith, disconnects.stale);
  assert.equal(core.node.figures(1).connections, 0);
});

const broken: Record<string, (peer: MemoryConnection) => void> = {
  'a second connect': (peer) => peer.command({ connect: {} }),
  'an id of 0': (peer) => {
    peer.receive(text('{"id":0,"publish":{"channel":"chat:x","data":1}}'));
  },
  'an unknown command': (peer) => {
    peer.receive(text('{"id":7,"dance":{}}'));
  },
  'a ping from the client': (peer) => peer.command({ ping: {} }),
  'a pong that nobody asked for': (peer) => {
    peer.pong();
  },
  'an empty frame': (peer) => {
    peer.receive(new Uint8Array(0));
  },
  'bytes that are no frame': (peer) => {
    peer.receive(text('{"id":1,'));
  },
};
for (const [what, act] of Object.entries(broken)) {
  test(`S2: ${what} closes the connection with 3501 and touches nobody else`, async () => {
    const { core, clock } = await start();
    const peer = await open(core, clock);
    const other = await open(core, clock, 'bob');
    act(peer);
    await clock.advanceAsync(0);
    assert.equal(peer.closedWith, disconnects.badRequest);
    assert.equal(other.closedWith, undefined);
    assert.equal(core.counters.snapshot().bugs, 0);
  });
}

test('S13: a payload beyond its bounds is refused with 107, and its frame and connection go on', async () => {
  const { core, clock } = await start();
  const peer = await open(core, clock);
  const deep = `${'['.repeat(40)}0${']'.repeat(40)}`;
  const members = Array.from({ length: 1_001 }, (_, i) => `"k${i}":0`).join(',');
  const publishes = ['"half an emoji: \\ud83d"', deep, `{${members}}`, '"whole"'].map(
    (data, i) => `{"id":${i + 11},"publish":{"channel":"${channel}","data":${data}}}`,
  );
  peer.receive(text([...publishes, `{"id":15,"rpc":{"method":"m","data":${deep}}}`].join('\n')));
  await clock.advanceAsync(0);
  assert.deepEqual(
    [11, 12, 13, 14, 15].map((id) => peer.replyTo(id)?.error?.code),
    [107, 107, 107, undefined, 107],
  );
  assert.match(peer.replyTo(11)?.error?.message ?? '', /lone surrogate/);
  assert.equal(peer.replyTo(14)?.publish?.offset, 1);
  assert.equal(peer.closedWith, undefined);
  const stranger = core.link();
  stranger.receive(text(`{"id":1,"connect":{"data":${deep}}}\n{"id":2,"subscribe":{"channel":"${channel}"}}`));
  await clock.advanceAsync(0);
  assert.deepEqual(
    stranger.replies.map(({ id, error }) => [id, error?.code]),
    [[1, 107]],
  );
});

test('whoever subscribes with a filter is refused with 108, and not given everything', async () => {
  const { core, clock } = await start();
  for (const peer of [await open(core, clock), await open(core, clock, 'bob', new MemoryConnection(protobufCodec))]) {
    const [id] = peer.command({ subscribe: { channel, tf: {} } });
    await clock.advanceAsync(0);
    assert.equal(peer.replyTo(id)?.error?.code, rejections.notAvailable.code);
  }
});

test('any command before connect closes with 3501', async () => {
  const { core } = await start();
  const peer = core.link();
  peer.command({ subscribe: { channel } });
  assert.equal(peer.closedWith, disconnects.badRequest);
});

test('send without a listener closes with 3508', async () => {
  const { core, clock } = await start();
  const peer = await open(core, clock);
  peer.command({ send: { data: text('1') } });
  assert.equal(peer.closedWith, disconnects.notAvailable);
});

test('CON-1: a silent peer is closed with 3012 within ping interval and pong time-out, and its presence follows', async () => {
  const { core, clock } = await start();
  const silent = await open(core, clock);
  const watcher = await open(core, clock, 'bob');
  silent.command({ subscribe: { channel } });
  watcher.command({ subscribe: { channel } });
  await clock.advanceAsync(0);
  watcher.onReply = undefined;
  const answer = setPongs(clock, watcher);
  await clock.advanceAsync(33_500);
  answer();
  assert.equal(silent.closedWith, disconnects.noPong);
  assert.equal(watcher.closedWith, undefined, 'one that answers stays');
  const leaves = watcher.pushes(channel).flatMap((push) => (push.leave === undefined ? [] : [push.leave.info.user]));
  assert.deepEqual(leaves, ['ann']);
});

/** Answers each ping within half a second. */
function setPongs(clock: VirtualClock, peer: MemoryConnection): () => void {
  let seen = 0;
  let stopped = false;
  const look = (): void => {
    if (stopped) return;
    if (peer.pings > seen) {
      seen = peer.pings;
      peer.pong();
    }
    clock.after(500, look);
  };
  look();
  return () => {
    stopped = true;
  };
}

test('CON-5: expired credentials end the connection when the grace ends, not before; a refresh keeps it', async () => {
  const clock = new VirtualClock();
  const expiresIn = (ms: number): Identity => ({
    user: 'ann',
    channels: [],
    capabilities: [],
    expiresAtMs: clock.now() + ms,
  });
  const expiring: Authenticator = {
    ...nameIsToken,
    connect: () => Promise.resolve(expiresIn(5_000)),
    refresh: () => Promise.resolve(expiresIn(60_000)),
  };
  const core = await CoreNode.start({
    clock,
    authenticator: expiring,
    limits: { tokenGraceMs: 3_000, pingIntervalMs: 500_000 },
  });
  const lost = await open(core, clock);
  const kept = await open(core, clock);
  assert.equal(lost.replies[0]?.connect?.ttl, 5);
  await clock.advanceAsync(4_000);
  const [id] = kept.command({ refresh: { token: 'new' } });
  await clock.advanceAsync(3_900);
  assert.equal(lost.closedWith, undefined);
  await clock.advanceAsync(700);
  assert.equal(lost.closedWith, disconnects.connectionExpired);
  const refreshed = kept.replyTo(id)?.refresh;
  assert.equal(refreshed?.ttl, 60);
  assert.equal(refreshed?.client, kept.replies[0]?.connect?.client, 'SDKs take over the id they read here');
  await clock.advanceAsync(20_000);
  assert.equal(kept.closedWith, undefined);
});

test('CON-5: an expired subscription ends with 2501 and the connection goes on', async () => {
  const clock = new VirtualClock();
  const granting: Authenticator = {
    ...nameIsToken,
    subscription: () => Promise.resolve({ expiresAtMs: clock.now() + 2_000 }),
  };
  const core = await CoreNode.start({ clock, authenticator: granting, limits: { tokenGraceMs: 1_000 } });
  const peer = await open(core, clock);
  const [id] = peer.command({ subscribe: { channel, token: 'grant' } });
  await clock.advanceAsync(0);
  assert.equal(peer.replyTo(id)?.subscribe?.ttl, 2);
  await clock.advanceAsync(3_600);
  assert.equal(peer.pushes(channel).at(-1)?.unsubscribe?.code, 2501);
  assert.equal(peer.closedWith, undefined);
  await core.node.publish(channel, { data: text('1') });
  await clock.advanceAsync(0);
  assert.deepEqual(peer.offsets(channel), [], 'nothing is delivered any more');
});

test('BP-1: a peer that does not read is closed with 3008 at the bound, others go on, and memory is given back', async () => {
  const { core, clock } = await start({ limits: { outboundBytesMax: 64 * 1024, inFlightBytesMax: 4 * 1024 } });
  const slow = await open(core, clock, 'slow');
  const fast = await open(core, clock, 'fast');
  for (const peer of [slow, fast]) peer.command({ subscribe: { channel: 'live:x' } });
  await clock.advanceAsync(0);
  slow.stalled = true;
  const data = text(`"${'x'.repeat(1_000)}"`);
  for (let i = 0; i < 200; i += 1) {
    await core.node.publish('live:x', { data });
    await clock.advanceAsync(0);
  }
  assert.equal(slow.closedWith, disconnects.slow);
  assert.ok(slow.inFlight <= 4 * 1024 + 2_000, `${slow.inFlight} bytes in flight`);
  assert.equal(fast.pushes('live:x').length, 200);
  assert.equal(core.node.figures(1).connections, 1);
});

test('BP-1: commands that wait for an answer are bounded, and refused with 111', async () => {
  const { core, clock } = await start({
    limits: { pendingCommandsMax: 10 },
    rpc: { never: () => new Promise(() => undefined) },
  });
  const peer = await open(core, clock);
  for (let i = 0; i < 15; i += 1) peer.command({ rpc: { method: 'never' } });
  await clock.advanceAsync(0);
  const refused = peer.replies.filter((reply) => reply.error?.code === rejections.tooManyRequests.code);
  assert.equal(refused.length, 5);
  assert.equal(peer.closedWith, undefined);
});

test('subscribe, unsubscribe and subscribe again in one frame take effect in that order', async () => {
  const { core, clock } = await start();
  const peer = await open(core, clock);
  const ids = peer.command(
    { subscribe: { channel } },
    { subscribe: { channel } },
    { unsubscribe: { channel } },
    { subscribe: { channel } },
  );
  await clock.advanceAsync(0);
  const answers = ids.map((id) => peer.replyTo(id));
  assert.ok(answers[0]?.subscribe);
  assert.equal(answers[1]?.error?.code, rejections.alreadySubscribed.code);
  assert.ok(answers[2]?.unsubscribe);
  assert.ok(answers[3]?.subscribe);
  await core.node.publish(channel, { data: text('1') });
  await clock.advanceAsync(0);
  assert.deepEqual(peer.offsets(channel), [1]);
});

test('a session that ends while it subscribes leaves no subscription behind', async () => {
  const { core, clock } = await start();
  const peer = await open(core, clock);
  peer.command({ subscribe: { channel } });
  peer.drop();
  await clock.advanceAsync(0);
  assert.equal(core.node.figures(5).subscriptions, 0);
  assert.deepEqual(await core.node.history(channel, { limit: 0 }).then((page) => page.publications), []);
});

test('DEL-6: a publish repeated with its key is answered with the first position and delivered once', async () => {
  const { core, clock } = await start();
  const peer = await open(core, clock);
  const other = await open(core, clock, 'bob');
  other.command({ subscribe: { channel } });
  await clock.advanceAsync(0);
  const publish = { channel, data: text('"hi"'), idempotency_key: 'k1' };
  const [first] = peer.command({ publish });
  await clock.advanceAsync(0);
  const [second] = peer.command({ publish });
  const [others] = other.command({ publish });
  await clock.advanceAsync(0);
  assert.deepEqual(peer.replyTo(second)?.publish, { ...peer.replyTo(first)?.publish, duplicate: true });
  assert.equal(other.replyTo(others)?.publish?.duplicate, undefined, "a key is its user's own");
  assert.deepEqual(other.offsets(channel), [1, 2]);
});

test('a publish with an expected offset is refused with 121 where the channel has moved on', async () => {
  const { core, clock } = await start();
  const peer = await open(core, clock);
  const ids = [0, 0, 1].map(
    (expected_offset) => peer.command({ publish: { channel, data: text('1'), expected_offset } })[0],
  );
  await clock.advanceAsync(0);
  assert.deepEqual(
    ids.map((id) => peer.replyTo(id)?.error?.code),
    [undefined, 121, undefined],
  );
});

test('S13: a binary connection cannot put bytes that are no JSON into a JSON channel', async () => {
  const { core, clock } = await start({ namespaces: { chat: { historySize: 10 }, raw: { payload: 'binary' } } });
  const peer = await open(core, clock, 'ann', new MemoryConnection(protobufCodec));
  const [bad] = peer.command({ publish: { channel, data: text('{"a":') } });
  const [good] = peer.command({ publish: { channel, data: text('{"a":1}') } });
  const [raw] = peer.command({ publish: { channel: 'raw:x', data: new Uint8Array([0, 255, 1]) } });
  await clock.advanceAsync(0);
  assert.equal(peer.replyTo(bad)?.error?.code, rejections.badRequest.code);
  assert.equal(peer.replyTo(good)?.publish?.offset, 1);
  assert.ok(peer.replyTo(raw)?.publish);
  const json = await open(core, clock, 'bob');
  const [refused] = json.command({ subscribe: { channel: 'raw:x' } });
  await clock.advanceAsync(0);
  assert.equal(json.replyTo(refused)?.error?.code, rejections.notAvailable.code);
});

test('rpc: an answer, an unknown method, and a method that fails, which does not end the connection', async () => {
  const { core, clock } = await start({
    rpc: {
      echo: (data, context) => ({ data, user: context.user }),
      fail: () => {
        throw new Error('boom');
      },
      refuse: () => {
        throw new Rejection(rejections.permissionDenied);
      },
    },
  });
  const peer = await open(core, clock);
  const [echo] = peer.command({ rpc: { method: 'echo', data: text('[1]') } });
  const [unknown] = peer.command({ rpc: { method: 'nothing' } });
  const [fail] = peer.command({ rpc: { method: 'fail' } });
  const [refuse] = peer.command({ rpc: { method: 'refuse' } });
  const [inherited] = peer.command({ rpc: { method: 'constructor' } });
  await clock.advanceAsync(0);
  assert.equal(new TextDecoder().decode(peer.replyTo(echo)?.rpc?.data), '{"data":[1],"user":"ann"}');
  assert.deepEqual(
    [unknown, fail, refuse, inherited].map((id) => peer.replyTo(id)?.error?.code),
    [104, 100, 103, 104],
  );
  assert.equal(peer.closedWith, undefined);
});

test('a node that stops tells everyone to come back, and takes nobody new', async () => {
  const { core, clock } = await start();
  const peer = await open(core, clock);
  core.node.stop();
  const late = core.link();
  assert.equal(peer.closedWith, disconnects.shutdown);
  assert.equal(late.closedWith, disconnects.shutdown);
  clock.advance(1_000);
  assert.equal(clock.timers, 0, 'no timer is left');
});

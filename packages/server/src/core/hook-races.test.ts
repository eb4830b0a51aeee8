import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Rejection, rejections } from '@tutti/protocol';
import type { ConnectGrant, Hooks, PublishGrant, RefreshGrant } from '@tutti/server/internal';
import { VirtualClock } from '@tutti/testkit';
import { CoreNode } from '@tutti/testkit/core-node';
import type { MemoryConnection } from '@tutti/testkit/memory-connection';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function start(hooks: Partial<Hooks>, rpcTimeoutMs = 10_000) {
  const clock = new VirtualClock({ nowMs: Date.UTC(2026, 0, 1) });
  const core = await CoreNode.start({
    clock,
    hooks: { connectFor: 'no_token', ...hooks },
    namespaces: { chat: { historySize: 100, subscribeHook: true, publishHook: true }, open: {} },
    limits: { rpcTimeoutMs },
  });
  const pass = (ms = 0): Promise<void> => clock.advanceAsync(ms);
  const revoke = (subject: string): Promise<unknown> =>
    core.node.revocations.revoke({ what: 'user', tenant: '', subject });
  return { core, clock, pass, revoke };
}

const codeOf = (peer: MemoryConnection): number | undefined => peer.closedWith?.code;
const ann = { user: 'ann', channels: [], capabilities: [] };

test('CON-6: who is revoked while the connect hook is asked is not let in by what it answers later', async () => {
  const answer = Promise.withResolvers<ConnectGrant>();
  const { core, pass, revoke } = await start({ connect: () => answer.promise });
  const peer = core.connect('');
  await pass(5);
  await revoke('ann');
  await pass(5);
  answer.resolve(ann);
  await pass();
  assert.equal(peer.closedWith?.code, 3_500);
  const later = core.connect('');
  await pass();
  assert.ok(later.replies[0]?.connect !== undefined, 'asked after the revocation, the application knows of it');
});

test('CON-6: a publish hook that answers after its user was revoked publishes nothing', async () => {
  const answer = Promise.withResolvers<PublishGrant>();
  const { core, pass, revoke } = await start({ publish: () => answer.promise });
  const peer = core.connect('ann');
  const other = core.connect('bob');
  await pass(5);
  for (const each of [peer, other]) each.command({ publish: { channel: 'chat:a', data: bytes('1') } });
  await pass(5);
  await revoke('ann');
  other.drop();
  answer.resolve({});
  await pass();
  const { publications } = await core.node.history('chat:a', { limit: 10 });
  assert.deepEqual(
    publications.map(({ info }) => info?.user),
    ['bob'],
    'of one that only went away it is made, as without a hook',
  );
});

test('CON-5: a refresh hook that answers after a token took its place changes nothing any more', async () => {
  const verdicts: ((how: 'refuse' | 'grant') => void)[] = [];
  const refresh = (): Promise<RefreshGrant> =>
    new Promise((resolve, reject) => {
      verdicts.push((how) => {
        if (how === 'grant') resolve({});
        else reject(new Rejection(rejections.permissionDenied));
      });
    });
  for (const how of ['refuse', 'grant'] as const) {
    verdicts.length = 0;
    const { core, clock, pass } = await start({
      connect: () => Promise.resolve({ ...ann, expiresAtMs: clock.now() + 5_000 }),
      subscribe: () => Promise.resolve({ expiresAtMs: clock.now() + 5_000 }),
      refresh,
      subRefresh: refresh,
    });
    const peer = core.connect('');
    await pass();
    peer.command({ subscribe: { channel: 'chat:a' } });
    await pass(7_000);
    assert.equal(verdicts.length, 2, 'the session and its subscription');
    peer.command({ refresh: { token: 'ann' } }, { sub_refresh: { channel: 'chat:a', token: 'any' } });
    await pass();
    for (const verdict of verdicts) verdict(how);
    await pass();
    assert.equal(codeOf(peer), undefined, how);
    assert.deepEqual(peer.pushes('chat:a'), [], how);
    for (let pings = peer.pings, seconds = 0; seconds < 30 && codeOf(peer) === undefined; seconds += 1) {
      await pass(1_000);
      for (; pings < peer.pings; pings += 1) peer.pong();
    }
    assert.equal(codeOf(peer), 3_005, 'the token, which was short, ends as it says');
  }
});

test('S21: what waited behind slow hooks until its time was over is never asked, and its client may retry', async () => {
  let asks = 0;
  const release: (() => void)[] = [];
  const { core, pass } = await start(
    { rpc: () => ((asks += 1), new Promise((done) => release.push(() => done({})))) },
    1_000,
  );
  const peer = core.connect('ann');
  await pass();
  const ids = peer.command(...Array.from({ length: 20 }, () => ({ rpc: { method: 'slow' } })));
  await pass(1_000);
  const { code, message } = rejections.hookUnavailable;
  assert.deepEqual(peer.replyTo(ids[19])?.error, { code, message, temporary: true });
  for (const each of release.splice(0)) each();
  await pass();
  assert.deepEqual([asks, release.length], [8, 0]);
});

import { Rejection } from '@tutti/protocol';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  MemoryRevocationList,
  type Authenticator,
  type Identity,
  type RevocationRequest,
} from '@tutti/server/internal';
import { VirtualClock } from '@tutti/testkit';
import { CoreNode, nameIsToken } from '@tutti/testkit/core-node';
import { HintlessRevocationList } from '@tutti/testkit/hintless-revocation-list';
import type { MemoryConnection } from '@tutti/testkit/memory-connection';

const pollIntervalMs = 5_000;
const data = Buffer.from('1');

/**
 * Two nodes on one list whose hints are lost. The token is JSON: what the identity says. Subscription
 * tokens: `{"tokenId", "channel"}`.
 */
class Scene {
  readonly clock = new VirtualClock({ nowMs: Date.UTC(2026, 0, 1) });
  readonly shared = new MemoryRevocationList({ clock: this.clock, revocationsMax: 1_000 });
  nodes!: [CoreNode, CoreNode];
  lists!: [HintlessRevocationList, HintlessRevocationList];

  static async open(tokenLifetimeMaxMs = 0): Promise<Scene> {
    const scene = new Scene();
    scene.lists = [new HintlessRevocationList(scene.shared), new HintlessRevocationList(scene.shared)];
    const [a, b] = scene.lists;
    const start = (list: HintlessRevocationList): Promise<CoreNode> =>
      CoreNode.start({
        clock: scene.clock,
        authenticator: jsonTokens,
        namespaces: { chat: { historySize: 10 }, closed: { allowSubscribe: 'token' } },
        revocations: { list, pollIntervalMs, tokenLifetimeMaxMs },
      });
    scene.nodes = [await start(a), await start(b)];
    return scene;
  }

  /** On the second node; revocations are made on the first. */
  async connect(identity: Partial<Identity>, ...channels: string[]): Promise<MemoryConnection> {
    const link = this.nodes[1].link();
    link.command({ connect: { token: JSON.stringify({ user: 'ann', ...identity }) } });
    for (const channel of channels) link.command({ subscribe: { channel } });
    await this.clock.advanceAsync(50);
    return link;
  }

  async revoke(what: RevocationRequest['what'], subject: string, more: Partial<RevocationRequest> = {}): Promise<void> {
    await this.nodes[0].node.revocations.revoke({ what, tenant: '', subject, ...more });
  }

  async poll(): Promise<void> {
    await this.clock.advanceAsync(pollIntervalMs);
  }
}

const jsonTokens: Authenticator = {
  connect: (attempt) =>
    Promise.resolve({ channels: [], capabilities: [], ...(JSON.parse(attempt.token) as { user: string }) }),
  refresh: (token, identity) => Promise.resolve({ ...identity, ...(JSON.parse(token) as object) }),
  subscription: (token) => Promise.resolve(JSON.parse(token) as object),
};

function clientOf(link: MemoryConnection): string {
  return link.replies[0]?.connect?.client ?? '';
}

for (const what of ['user', 'token', 'session'] as const) {
  test(`CON-6: a revoked ${what} receives nothing after the poll, though every hint is lost, and cannot come back`, async () => {
    const scene = await Scene.open();
    const issuedAtMs = scene.clock.now() - 10_000;
    const credentials = { tokenId: 't1', issuedAtMs };
    const link = await scene.connect(credentials, 'chat:a');
    const bystander = await scene.connect({ user: 'bob', tokenId: 't2', issuedAtMs }, 'chat:a');
    await scene.nodes[1].node.publish('chat:a', { data });
    await scene.revoke(what, what === 'user' ? 'ann' : what === 'token' ? 't1' : clientOf(link));
    await scene.poll();
    await scene.nodes[1].node.publish('chat:a', { data });
    await scene.clock.advanceAsync(50);
    assert.deepEqual(link.offsets('chat:a'), [1]);
    assert.equal(link.closedWith?.code, 3500);
    assert.deepEqual(bystander.offsets('chat:a'), [1, 2]);
    await scene.poll();
    for (const node of scene.nodes) {
      const again = node.link();
      again.command({ connect: { token: JSON.stringify({ user: 'ann', ...credentials }) } });
      await scene.clock.advanceAsync(0);
      assert.equal(again.closedWith?.code, 3500);
    }
    assert.ok(
      scene.lists.some(({ lost }) => lost > 0),
      'there were hints to lose',
    );
  });
}

test('CON-6: of a user all that was issued before ends, whatever its iat says; what was issued after stays', async () => {
  const scene = await Scene.open();
  const now = scene.clock.now();
  const old = await scene.connect({ tokenId: 'old', issuedAtMs: now - 1 });
  const undated = await scene.connect({ tokenId: 'undated' });
  const ahead = await scene.connect({ tokenId: 'ahead', issuedAtMs: now + 20_000 });
  await scene.revoke('user', 'ann');
  await scene.clock.advanceAsync(10);
  const fresh = await scene.connect({ tokenId: 'fresh', issuedAtMs: scene.clock.now() });
  await scene.poll();
  assert.deepEqual(
    [old, undated, ahead, fresh].map(({ closedWith }) => closedWith?.code),
    [3500, 3500, 3500, undefined],
  );
  const late = await scene.connect({ tokenId: 'undated' });
  assert.equal(late.closedWith?.code, 3500, 'nobody can tell when it was issued');
});

test('CON-6: who cannot be shown to be newer than the revocation ends, however far the clocks of two nodes are apart', async () => {
  const scene = await Scene.open();
  const undated = await scene.connect({ tokenId: 'undated' });
  scene.clock.jumpWall(-3_600_000);
  await scene.revoke('user', 'ann');
  await scene.poll();
  assert.equal(undated.closedWith?.code, 3500);
});

test('CON-6: revoked credentials are refused at refresh and for subscriptions, and their subscriptions end', async () => {
  const scene = await Scene.open();
  const issuedAtMs = scene.clock.now();
  const link = await scene.connect({ tokenId: 't', issuedAtMs });
  const token = JSON.stringify({ tokenId: 'grant' });
  link.command({ subscribe: { channel: 'closed:a', token } });
  await scene.clock.advanceAsync(50);
  await scene.revoke('token', 'grant');
  await scene.revoke('token', 'next');
  await scene.poll();
  assert.equal(link.pushes('closed:a').at(-1)?.unsubscribe?.code, 2502);
  const [again, sub] = link.command(
    { subscribe: { channel: 'closed:a', token } },
    { subscribe: { channel: 'chat:a' } },
  );
  await scene.clock.advanceAsync(50);
  assert.equal(link.replyTo(again)?.error?.code, 103);
  assert.ok(link.replyTo(sub)?.subscribe);
  const [refreshed] = link.command({ sub_refresh: { channel: 'chat:a', token } });
  await scene.clock.advanceAsync(50);
  assert.equal(link.replyTo(refreshed)?.error?.code, 103);
  link.command({ refresh: { token: JSON.stringify({ tokenId: 'next', issuedAtMs }) } });
  await scene.clock.advanceAsync(50);
  assert.equal(link.closedWith?.code, 3500);
});

test('S11: revoking a user, a token or a client of one tenant is nothing to another', async () => {
  const scene = await Scene.open();
  const issuedAtMs = scene.clock.now() - 1_000;
  const theirs = await scene.connect({ tenant: 'rival', tokenId: 't', issuedAtMs });
  const ours = await scene.connect({ tenant: 'acme', tokenId: 't', issuedAtMs });
  await scene.revoke('user', 'ann', { tenant: 'acme' });
  await scene.revoke('token', 't', { tenant: 'acme' });
  await scene.revoke('session', clientOf(theirs), { tenant: 'acme' });
  await scene.poll();
  assert.deepEqual([ours.closedWith?.code, theirs.closedWith], [3500, undefined]);
});

test('CON-6: while the list is down nothing new is known; when it is back it holds at once with the next read', async () => {
  const scene = await Scene.open();
  const link = await scene.connect({ tokenId: 't' });
  const closeCode = (): number | undefined => link.closedWith?.code;
  scene.lists[1].isDown = true;
  await scene.revoke('token', 't');
  await scene.poll();
  assert.equal(closeCode(), undefined);
  assert.ok(scene.nodes[1].counters.snapshot().revocation_reads_failed > 0);
  scene.lists[1].isDown = false;
  await scene.poll();
  assert.equal(closeCode(), 3500);
});

test('CON-6: a node that cannot read the list at its start lets nobody in for now, and then those who may', async () => {
  const clock = new VirtualClock();
  const list = new HintlessRevocationList(new MemoryRevocationList({ clock, revocationsMax: 10 }));
  await list.append({ what: 'token', tenant: '', subject: 'revoked', issuedBeforeMs: 0 });
  list.isDown = true;
  const revocations = { list, pollIntervalMs, tokenLifetimeMaxMs: 0 };
  const core = await CoreNode.start({ clock, authenticator: jsonTokens, revocations });
  const connect = async (tokenId: string): Promise<MemoryConnection> => {
    const link = core.link();
    link.command({ connect: { token: JSON.stringify({ user: 'ann', tokenId }) } });
    await clock.advanceAsync(10);
    return link;
  };
  assert.deepEqual((await connect('good')).replies[0]?.error?.temporary, true);
  list.isDown = false;
  await clock.advanceAsync(1_000);
  assert.notEqual(clientOf(await connect('good')), '');
  assert.equal((await connect('revoked')).closedWith?.code, 3500);
});

test('CON-6: the token of a revoked session is put on the list though that fails at first', async () => {
  const scene = await Scene.open();
  const link = await scene.connect({ tokenId: 't', issuedAtMs: 1 });
  await scene.revoke('session', clientOf(link));
  const append = scene.lists[1].append.bind(scene.lists[1]);
  scene.lists[1].append = () =>
    Promise.reject(new Rejection({ code: 1, name: '', message: '', remedy: '', temporary: true }));
  await scene.poll();
  assert.equal(link.closedWith?.code, 3500);
  const at = (index: 0 | 1): boolean => scene.nodes[index].node.revocations.endsToken('', 't');
  assert.deepEqual([at(0), at(1)], [false, true]);
  scene.lists[1].append = append;
  await scene.poll();
  await scene.poll();
  assert.deepEqual([at(0), at(1)], [true, true]);
});

test('a revocation is forgotten when nothing that it refuses can be valid any more', async () => {
  const day = 24 * 3_600_000;
  const scene = await Scene.open(day);
  const { revocations } = scene.nodes[0].node;
  const now = scene.clock.now();
  assert.equal(await revocations.revoke({ what: 'user', tenant: '', subject: 'ann' }), now + 2 * day);
  const request = { what: 'token', tenant: '', subject: 't', expiresAtMs: now + 60_000 } as const;
  assert.equal(await revocations.revoke(request), now + 60_000 + day);
  assert.equal(revocations.size, 2);
  await scene.clock.advanceAsync(2 * day + 120_000);
  assert.equal(revocations.size, 0);
  const unbounded = await Scene.open();
  const forever = { what: 'user', tenant: '', subject: 'ann' } as const;
  assert.equal(await unbounded.nodes[0].node.revocations.revoke(forever), undefined);
});

test('S10: a refresh with fewer rights ends what they do not open any more, also what is still joining', async () => {
  const scene = await Scene.open();
  const capabilities = [{ channels: ['closed:*'], allow: ['subscribe' as const] }];
  const link = await scene.connect({ capabilities, channels: ['chat:given', 'chat:kept'] }, 'closed:a', 'chat:a');
  link.command({ subscribe: { channel: 'closed:b', token: '{}' } });
  await scene.clock.advanceAsync(50);
  const renewed = JSON.stringify({ capabilities: [], channels: ['chat:kept'] });
  const [joining, refreshed] = link.command({ subscribe: { channel: 'closed:c' } }, { refresh: { token: renewed } });
  await scene.clock.advanceAsync(100);
  assert.ok(link.replyTo(joining)?.subscribe, 'it is answered first');
  assert.ok(link.replyTo(refreshed)?.refresh);
  const ended = (channel: string): number | undefined => link.pushes(channel).at(-1)?.unsubscribe?.code;
  assert.deepEqual(['closed:a', 'closed:b', 'closed:c', 'chat:a', 'chat:given', 'chat:kept'].map(ended), [
    2502,
    undefined,
    2502,
    undefined,
    2000,
    undefined,
  ]);
  assert.equal(link.closedWith, undefined);
});

test('the application ends a subscription that is still joining as soon as it is answered', async () => {
  const clock = new VirtualClock();
  const core = await CoreNode.start({ clock, authenticator: nameIsToken });
  const link = core.connect('ann');
  await clock.advanceAsync(0);
  const [id] = link.command({ subscribe: { channel: 'chat:a' } });
  assert.equal(link.replyTo(id), undefined, 'it is still joining');
  assert.equal(core.node.directory.unsubscribe({ user: 'ann' }, 'chat:a'), 1);
  await clock.advanceAsync(50);
  assert.ok(link.replyTo(id)?.subscribe);
  assert.equal(link.pushes('chat:a').at(-1)?.unsubscribe?.code, 2000);
  assert.equal(core.node.figures(0).subscriptions, 0);
});

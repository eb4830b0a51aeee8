import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counters, MemoryLastSeen, nullLog, seenChangesMax } from '@tutti/server/internal';
import { VirtualClock } from '@tutti/testkit';
import { CoreNode } from '@tutti/testkit/core-node';
import { HeldLastSeen } from '@tutti/testkit/held-last-seen';
import { SeenUsers, seenWaitingMax } from './seen-users.ts';

const ttlMs = 24 * 3_600_000;
const aliveEveryMs = 5_000;
const [ann, bob] = [{ user: 'ann' }, { user: 'bob' }];

class Scene {
  readonly clock = new VirtualClock();
  readonly counters = new Counters(nullLog);
  readonly store = new HeldLastSeen(new MemoryLastSeen(this.clock, { ttlMs, usersMax: 1_000_000 }));
  readonly seen = new SeenUsers({
    ...{ store: this.store, node: 'n1', ttlMs, aliveEveryMs, clock: this.clock, telemetry: this.counters },
  });

  static async start(): Promise<Scene> {
    const scene = new Scene();
    await scene.seen.start();
    return scene;
  }

  pass(ms: number): Promise<void> {
    return this.clock.advanceAsync(ms);
  }

  async kept(user: string): Promise<{ atMs: number; isHere: boolean } | undefined> {
    const [entry] = await this.store.read([{ tenant: '', user }]);
    return entry && { atMs: entry.atMs, isHere: entry.nodes.length > 0 };
  }
}

test('PRE-2: who comes and goes is written within a second; only the last of several connections counts', async () => {
  const scene = await Scene.start();
  const { seen, store, clock } = scene;
  seen.came(ann);
  seen.came(ann);
  await scene.pass(1_000);
  assert.deepEqual(await scene.kept('ann'), { atMs: clock.now() - 1_000, isHere: true });
  seen.left(ann);
  await scene.pass(1_000);
  assert.deepEqual(seen.seen({ tenant: '', ...ann }), { isHere: true });
  seen.left(ann);
  const leftAtMs = clock.now();
  assert.deepEqual(seen.seen({ tenant: '', ...ann }), { isHere: false, leftAtMs });
  await scene.pass(1_000);
  assert.deepEqual(await scene.kept('ann'), { atMs: leftAtMs, isHere: false });
  assert.deepEqual(seen.seen({ tenant: '', ...ann }), { isHere: false }, 'the store knows');
  assert.deepEqual(store.changes, ['ann+', 'ann-']);
});

test('PRE-2: a page that is loaded anew costs no write, however often', async () => {
  const scene = await Scene.start();
  scene.seen.came(ann);
  await scene.pass(1_000);
  for (let i = 0; i < 20; i += 1) {
    scene.seen.left(ann);
    await scene.pass(20);
    scene.seen.came(ann);
    await scene.pass(20);
  }
  await scene.pass(1_000);
  assert.deepEqual(scene.store.changes, ['ann+']);
  assert.equal((await scene.kept('ann'))?.isHere, true);
});

test('PRE-2: those without a name are not kept, and a tenant has its own users', async () => {
  const scene = await Scene.start();
  scene.seen.came({ user: '' });
  scene.seen.left({ user: '' });
  scene.seen.came({ user: 'ann', tenant: 'acme' });
  await scene.pass(1_000);
  assert.deepEqual(
    scene.store.writes.flatMap(({ changes }) => changes.map(({ tenant, user }) => [tenant, user])),
    [['acme', 'ann']],
  );
  assert.deepEqual(scene.seen.seen({ tenant: '', user: 'ann' }), { isHere: false });
});

test('PRE-2: a storm of 10,000 users is written in batches, one at a time', async () => {
  const scene = await Scene.start();
  for (let i = 0; i < 10_000; i += 1) scene.seen.came({ user: `u${i}` });
  scene.store.hold();
  await scene.pass(1_000);
  assert.equal(scene.store.writes.length, 1);
  scene.store.letGo();
  await scene.pass(0);
  assert.equal(scene.store.writes.length, 10_000 / seenChangesMax);
  assert.ok(scene.store.writes.every(({ changes }) => changes.length === seenChangesMax));
  assert.equal(scene.seen.waiting, 0);
});

test('PRE-2: what a store did not take is written when it does again, with the latest of each user', async () => {
  const scene = await Scene.start();
  scene.store.isFailing = true;
  scene.seen.came(ann);
  scene.seen.came(bob);
  await scene.pass(1_500);
  scene.seen.left(ann);
  const leftAtMs = scene.clock.now();
  await scene.pass(20_000);
  assert.equal(scene.seen.waiting, 2);
  assert.deepEqual(scene.seen.seen({ tenant: '', ...ann }), { isHere: false, leftAtMs });
  assert.ok(scene.counters.snapshot().last_seen_writes_failed > 1);
  scene.store.isFailing = false;
  await scene.pass(6_000);
  assert.deepEqual(await scene.kept('ann'), { atMs: leftAtMs, isHere: false });
  assert.equal((await scene.kept('bob'))?.isHere, true);
  assert.deepEqual([scene.seen.waiting, scene.counters.snapshot().last_seen_lost], [0, 0]);
});

test('PRE-2: who left while the coming was written has left in the end, and who came back is here', async () => {
  const scene = await Scene.start();
  scene.seen.came(ann);
  scene.seen.came(bob);
  scene.store.hold();
  await scene.pass(1_000);
  scene.seen.left(ann);
  scene.seen.left(bob);
  await scene.pass(10);
  scene.seen.came(bob);
  scene.store.letGo();
  await scene.pass(2_000);
  assert.equal((await scene.kept('ann'))?.isHere, false);
  assert.equal((await scene.kept('bob'))?.isHere, true);
});

test('S34: while the store takes nothing a bounded number waits; the oldest are lost, and counted', async () => {
  const scene = await Scene.start();
  scene.store.isFailing = true;
  for (let i = 0; i < seenWaitingMax + 700; i += 1) {
    scene.seen.came({ user: `u${i}` });
    scene.seen.left({ user: `u${i}` });
  }
  assert.equal(scene.seen.waiting, seenWaitingMax);
  await scene.pass(1_000);
  for (let i = 0; i < 300; i += 1) {
    scene.seen.came({ user: `v${i}` });
    scene.seen.left({ user: `v${i}` });
  }
  await scene.pass(1_000);
  assert.equal(scene.seen.waiting, seenWaitingMax);
  assert.equal(scene.counters.snapshot().last_seen_lost, 1_000);
  scene.store.isFailing = false;
  await scene.pass(10_000);
  assert.deepEqual([await scene.kept('u0'), await scene.kept('u699')], [undefined, undefined]);
  for (const user of ['u700', 'u100699', 'v0', 'v299']) assert.ok((await scene.kept(user)) !== undefined, user);
});

test('PRE-2: while somebody is here the node says that it lives, also when its clock is set back; else it is silent', async () => {
  const scene = await Scene.start();
  await scene.pass(60_000);
  assert.equal(scene.store.writes.length, 0);
  scene.seen.came(ann);
  await scene.pass(21_000);
  scene.clock.jumpWall(-3_600_000);
  await scene.pass(20_000);
  const alive = scene.store.writes.map(({ aliveAtMs }) => aliveAtMs);
  assert.ok(alive.length >= 8, `${alive.length} writes`);
  assert.deepEqual(
    alive,
    alive.toSorted((a, b) => a - b),
  );
  scene.seen.left(ann);
  await scene.pass(2_000);
  const before = scene.store.writes.length;
  await scene.pass(60_000);
  assert.equal(scene.store.writes.length, before);
});

test('PRE-2: who stays is written again every hour, so a store that lost it has it again', async () => {
  const scene = await Scene.start();
  for (let i = 0; i < 5_000; i += 1) scene.seen.came({ user: `u${i}` });
  await scene.pass(1_000);
  await scene.store.forget({ tenant: '', user: 'u7' });
  await scene.pass(ttlMs);
  for (const user of ['u0', 'u7', 'u4999']) {
    const { isHere, atMs = 0 } = (await scene.kept(user)) ?? {};
    assert.deepEqual([isHere, scene.clock.now() - atMs < 2 * 3_600_000], [true, true], user);
  }
  const { length } = scene.store.changes;
  assert.ok(length >= 23 * 5_000 && length <= 25 * 5_000, `${length} users written in a day`);
});

test('PRE-2: who is to be forgotten is not written afterwards, not even by what is under way', async () => {
  const scene = await Scene.start();
  const name = { tenant: '', user: 'ann' };
  scene.seen.came(ann);
  scene.seen.left(ann);
  await scene.seen.forget(name);
  await scene.pass(5_000);
  assert.deepEqual(scene.store.changes, []);
  scene.seen.came(ann);
  scene.seen.left(ann);
  scene.store.hold();
  await scene.pass(1_000);
  let isForgotten = false;
  const forgotten = scene.seen.forget(name).then(() => (isForgotten = true));
  await scene.pass(1_000);
  assert.equal(isForgotten, false, 'it waits for what is under way');
  scene.store.isFailing = true;
  scene.store.letGo();
  await forgotten;
  scene.store.isFailing = false;
  await scene.pass(20_000);
  assert.deepEqual(scene.store.changes, ['ann-'], 'what failed was not tried again');
});

test('PRE-2: a node that stops writes what waits first', async () => {
  const scene = await Scene.start();
  for (let i = 0; i < 1_200; i += 1) scene.seen.came({ user: `u${i}` });
  await scene.pass(1_000);
  scene.store.hold();
  for (let i = 0; i < 1_200; i += 1) scene.seen.left({ user: `u${i}` });
  await scene.pass(1_000);
  const closed = scene.seen.close();
  await scene.pass(10);
  assert.equal(scene.store.isClosed, false);
  scene.store.letGo();
  await closed;
  assert.ok(scene.store.isClosed);
  for (const user of ['u0', 'u1199']) assert.equal((await scene.kept(user))?.isHere, false);
  assert.equal(scene.clock.timers, 0);
});

test('CON-3: a store that does not answer, or fails, does not hold up a node that stops', async () => {
  for (const how of ['hold', 'fail'] as const) {
    const scene = await Scene.start();
    if (how === 'hold') scene.store.hold();
    else scene.store.isFailing = true;
    scene.seen.came(ann);
    scene.seen.left(ann);
    const closed = scene.seen.close();
    await scene.pass(10_000);
    await closed;
    assert.ok(scene.store.isClosed);
  }
});

test('PRE-2: a node tells of sessions whose connect was answered, and of their end, once each', async () => {
  const told: string[] = [];
  const node = await CoreNode.start({
    seen: {
      came: ({ user, tenant = '' }) => told.push(`${user}@${tenant}+`),
      left: ({ user, tenant = '' }) => told.push(`${user}@${tenant}-`),
    },
  });
  const clock = node.clock as VirtualClock;
  const first = node.connect('ann@acme');
  node.connect('bad');
  node.link().drop();
  await clock.advanceAsync(10);
  assert.deepEqual(told, ['ann@acme+']);
  first.drop();
  const second = node.connect('bob');
  await clock.advanceAsync(10);
  node.node.stop();
  await clock.advanceAsync(10);
  assert.deepEqual(told, ['ann@acme+', 'ann@acme-', 'bob@+', 'bob@-']);
  assert.ok(second.closedWith !== undefined);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counters, MemoryLastSeen, nullLog } from '@tutti/server/internal';
import { MemoryBusNetwork, SeededRandom, VirtualClock } from '@tutti/testkit';
import { HeldLastSeen } from '@tutti/testkit/held-last-seen';
import { Cluster } from '../cluster/cluster.ts';
import { ClusterLastSeen, type SeenAnswer } from './cluster-last-seen.ts';
import { SeenUsers } from './seen-users.ts';

const leaseMs = 10_000;
const ttlMs = 24 * 3_600_000;
const ann = { user: 'ann' };

interface SceneNode {
  readonly seen: SeenUsers;
  readonly asked: ClusterLastSeen;
  readonly store: HeldLastSeen;
  /** As `kill -9`: nothing it does reaches anybody any more. */
  kill(): void;
}

/** Nodes with one store and one bus. */
class Scene {
  readonly clock = new VirtualClock();
  readonly random = new SeededRandom(5);
  readonly network = new MemoryBusNetwork(this.clock, this.random.fork());
  readonly shared = new MemoryLastSeen(this.clock, { ttlMs, usersMax: 10_000 });
  readonly nodes: SceneNode[] = [];

  static async start(count = 3): Promise<Scene> {
    const scene = new Scene();
    for (let i = 0; i < count; i += 1) await scene.#add(`n${i}`);
    await scene.clock.advanceAsync(1_000);
    return scene;
  }

  node(index: number): SceneNode {
    const node = this.nodes[index];
    assert.ok(node);
    return node;
  }

  async ask(index: number, ...users: string[]): Promise<SeenAnswer> {
    return this.outcome(this.node(index).asked.of('', users));
  }

  /** Lets the nodes talk until it resolves. */
  async outcome<T>(asked: Promise<T>, ms = 10): Promise<T> {
    asked.catch(() => undefined);
    await this.clock.advanceAsync(ms);
    return asked;
  }

  async #add(nodeName: string): Promise<void> {
    const { clock, random, network, shared } = this;
    const telemetry = new Counters(nullLog);
    const store = new HeldLastSeen(shared);
    const bus = network.bus(nodeName);
    const peers = new Cluster({ bus, clock, random, telemetry, nodeName, secret: '', leaseMs });
    const node = peers.self.incarnation;
    const seen = new SeenUsers({ store, node, ttlMs, aliveEveryMs: leaseMs / 2, clock, telemetry });
    const asked = new ClusterLastSeen(seen, { store, peers, clock });
    await seen.start();
    await peers.start();
    const kill = (): void => {
      void bus.close();
      store.hold();
    };
    this.nodes.push({ seen, asked, store, kill });
  }
}

test('PRE-2: every node tells who is online on any, and the moment of who left, before it is written and after', async () => {
  const scene = await Scene.start();
  scene.node(0).seen.came(ann);
  for (const index of [0, 1, 2]) {
    assert.deepEqual(await scene.ask(index, 'ann', 'bob'), {
      users: [{ isOnline: true }, { isOnline: false }],
      silent: [],
    });
  }
  await scene.clock.advanceAsync(5_000);
  scene.node(0).seen.left(ann);
  const lastSeenMs = scene.clock.now();
  for (const waitMs of [0, 3_000, 3_600_000]) {
    await scene.clock.advanceAsync(waitMs);
    for (const index of [0, 1, 2])
      assert.deepEqual((await scene.ask(index, 'ann')).users, [{ isOnline: false, lastSeenMs }]);
  }
});

test('PRE-2: who is on two nodes is online until the last connection ends, on either', async () => {
  const scene = await Scene.start();
  scene.node(0).seen.came(ann);
  scene.node(1).seen.came(ann);
  await scene.clock.advanceAsync(5_000);
  scene.node(1).seen.left(ann);
  await scene.clock.advanceAsync(5_000);
  assert.deepEqual((await scene.ask(2, 'ann')).users, [{ isOnline: true }]);
  scene.node(0).seen.left(ann);
  const lastSeenMs = scene.clock.now();
  await scene.clock.advanceAsync(5_000);
  assert.deepEqual((await scene.ask(2, 'ann')).users, [{ isOnline: false, lastSeenMs }]);
});

test('PRE-2: the users of a killed node were last seen within its lease before that, and never later', async () => {
  const scene = await Scene.start();
  for (let i = 0; i < 50; i += 1) scene.node(0).seen.came({ user: `u${i}` });
  // On another node, too, and gone from there.
  scene.node(1).seen.came({ user: 'u0' });
  await scene.clock.advanceAsync(30_000);
  scene.node(1).seen.left({ user: 'u0' });
  await scene.clock.advanceAsync(33_000);
  const killedAtMs = scene.clock.now();
  scene.node(0).kill();
  const users = Array.from({ length: 50 }, (_, i) => `u${i}`);
  for (const waitMs of [3_000, 12_000, 3_600_000]) {
    await scene.clock.advanceAsync(waitMs);
    for (const index of [1, 2]) {
      const answer = await scene.outcome(scene.node(index).asked.of('', users), 3_000);
      for (const { isOnline, lastSeenMs = 0 } of answer.users) {
        assert.equal(isOnline, false);
        assert.ok(
          lastSeenMs <= killedAtMs && lastSeenMs >= killedAtMs - leaseMs,
          `${killedAtMs - lastSeenMs} ms before`,
        );
      }
    }
  }
});

test('PRE-2: a node that does not answer is named, and the others answer', async () => {
  const scene = await Scene.start();
  scene.node(1).seen.came(ann);
  scene.node(0).kill();
  const { users, silent } = await scene.outcome(scene.node(2).asked.of('', ['ann']), 3_000);
  assert.deepEqual([users, silent], [[{ isOnline: true }], ['n0']]);
});

test('PRE-2: what the store has of a user on a node that lives is not believed against that node', async () => {
  const scene = await Scene.start();
  scene.node(0).seen.came({ user: 'bob' });
  scene.node(0).seen.came(ann);
  await scene.clock.advanceAsync(2_000);
  const cameAtMs = scene.clock.now() - 2_000;
  scene.node(0).seen.left(ann);
  // As if it had been too much to keep: the store says that ann is there, as long as that node lives.
  await scene.node(0).seen.forget({ tenant: '', ...ann });
  await scene.clock.advanceAsync(60_000);
  assert.deepEqual((await scene.ask(1, 'ann')).users, [{ isOnline: false, lastSeenMs: cameAtMs }]);
});

test('PRE-2: a clock that is ahead makes nobody seen in the future', async () => {
  const scene = await Scene.start();
  const changes = [{ tenant: '', user: 'ann', isHere: false, atMs: scene.clock.now() + 3_600_000 }];
  await scene.shared.write({ node: 'ahead', aliveAtMs: scene.clock.now(), changes });
  const [seen] = (await scene.ask(0, 'ann')).users;
  assert.ok(seen?.lastSeenMs !== undefined && seen.lastSeenMs <= scene.clock.now());
});

test('PRE-2: a thousand users with long names are asked for in messages that the bus carries', async () => {
  const scene = await Scene.start();
  const users = Array.from({ length: 1_000 }, (_, i) => `${String(i).padStart(4, '0')}${'\u0001ä'.repeat(400)}`);
  for (const user of users) scene.node(1).seen.came({ user });
  const answer = await scene.outcome(scene.node(0).asked.of('', users), 100);
  assert.deepEqual(answer.silent, []);
  assert.ok(answer.users.every(({ isOnline }) => isOnline));
});

test('PRE-2: who is to be forgotten is forgotten on all nodes, before and after it is written', async () => {
  const scene = await Scene.start();
  const there = scene.node(0).seen;
  for (const waitMs of [0, 5_000]) {
    there.came(ann);
    await scene.clock.advanceAsync(3_000);
    there.left(ann);
    await scene.clock.advanceAsync(waitMs);
    assert.deepEqual(await scene.outcome(scene.node(2).asked.forget('', 'ann')), { silent: [] });
    await scene.clock.advanceAsync(10_000);
    assert.deepEqual((await scene.ask(1, 'ann')).users, [{ isOnline: false }]);
  }
});

test('S25: an answer of another form than the question counts as none', async () => {
  const scene = await Scene.start(1);
  const { clock, random, network } = scene;
  const telemetry = new Counters(nullLog);
  const peers = new Cluster({
    bus: network.bus('odd'),
    clock,
    random,
    telemetry,
    nodeName: 'odd',
    secret: '',
    leaseMs,
  });
  let answer: unknown = null;
  peers.answer(
    'last-seen',
    () => undefined,
    () => answer,
  );
  await peers.start();
  await clock.advanceAsync(3_000);
  for (answer of [null, [], [0, 0], ['now'], [null], {}]) {
    const { users, silent } = await scene.outcome(scene.node(0).asked.of('', ['ann']), 3_000);
    assert.deepEqual([users, silent], [[{ isOnline: false }], ['odd']], JSON.stringify(answer));
  }
});

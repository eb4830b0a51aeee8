import assert from 'node:assert/strict';
import { test } from 'node:test';
import { disconnects } from '@tutti/protocol';
import { MemoryBusNetwork, SeededRandom, VirtualClock } from '@tutti/testkit';
import { CoreNode } from '@tutti/testkit/core-node';
import type { MemoryConnection } from '@tutti/testkit/memory-connection';
import { Cluster } from '../cluster/cluster.ts';
import { BadMessage } from '../cluster/message-fields.ts';
import { ClusterDirectory } from './cluster-directory.ts';
import { readQuestion, writtenQuestion, type DirectoryQuestion } from './directory-questions.ts';

const namespaces = { chat: { historySize: 10 }, live: {} };

/** Three nodes, each with its own connections. */
class Scene {
  readonly clock = new VirtualClock();
  readonly random = new SeededRandom(5);
  readonly network = new MemoryBusNetwork(this.clock, this.random.fork());
  readonly nodes: { core: CoreNode; directory: ClusterDirectory }[] = [];

  static async start(): Promise<Scene> {
    const scene = new Scene();
    const { clock, random } = scene;
    for (const nodeName of ['a', 'b', 'c']) {
      const core = await CoreNode.start({ clock, random, namespaces });
      const telemetry = core.counters;
      const bus = scene.network.bus(nodeName);
      const peers = new Cluster({ bus, clock, random, telemetry, nodeName, secret: '', leaseMs: 10_000 });
      scene.nodes.push({ core, directory: new ClusterDirectory(core.node.directory, { peers, telemetry }) });
      await peers.start();
    }
    await clock.advanceAsync(0);
    return scene;
  }

  async connect(node: number, user: string, ...channels: string[]): Promise<MemoryConnection & { id: string }> {
    const connection = this.nodes[node]?.core.connect(user);
    assert.ok(connection);
    await this.clock.advanceAsync(0);
    for (const channel of channels) connection.command({ subscribe: { channel } });
    await this.clock.advanceAsync(0);
    return Object.assign(connection, { id: connection.replies[0]?.connect?.client ?? '' });
  }

  get first(): ClusterDirectory {
    return this.nodes[0]?.directory as ClusterDirectory;
  }

  /** Lets the nodes talk until it resolves. */
  async outcome<T>(asked: Promise<T>, ms = 10): Promise<T> {
    asked.catch(() => undefined);
    await this.clock.advanceAsync(ms);
    return asked;
  }
}

test('a user is disconnected on every node, but for the clients that are spared', async () => {
  const scene = await Scene.start();
  const ann = [await scene.connect(0, 'ann'), await scene.connect(1, 'ann'), await scene.connect(2, 'ann')];
  const bob = await scene.connect(1, 'bob');
  const spared = ann[2]?.id ?? '';
  const reached = await scene.outcome(scene.first.disconnect({ user: 'ann' }, disconnects.forceReconnect, [spared]));
  assert.deepEqual(reached, { count: 2, silent: [] });
  assert.deepEqual(
    [...ann, bob].map(({ closedWith }) => closedWith?.code),
    [disconnects.forceReconnect.code, disconnects.forceReconnect.code, undefined, undefined],
  );
});

test('S25: a code that no close frame can carry ends nobody, whoever asks for it', async () => {
  const scene = await Scene.start();
  const ann = [await scene.connect(0, 'ann'), await scene.connect(1, 'ann')];
  for (const code of [0, 1_005, 2_999, 5_000, 1e15]) {
    const asked = scene.outcome(scene.first.disconnect({ user: 'ann' }, { code, reason: '', meaning: '' }));
    await assert.rejects(asked, /a code is from 3000 to 4999/);
  }
  assert.deepEqual(
    ann.map(({ closedWith }) => closedWith),
    [undefined, undefined],
  );
});

test('a client is subscribed and unsubscribed on whichever node it is; a refusal there is told here', async () => {
  const scene = await Scene.start();
  const ann = await scene.connect(2, 'ann');
  const wanted = { data: Buffer.from('{"a":1}'), info: Buffer.from('"i"') };
  await scene.outcome(scene.first.subscribe({ client: ann.id }, 'chat:x', wanted));
  const push = ann.replies.find((reply) => reply.push?.subscribe)?.push;
  assert.equal(Buffer.from(push?.subscribe?.data ?? []).toString(), '{"a":1}');
  const { count } = await scene.outcome(scene.first.unsubscribe({ user: 'ann' }, 'chat:x'));
  assert.equal(count, 1);
  assert.ok(ann.replies.some((reply) => reply.push?.unsubscribe));
  for (let i = 0; i < 128; i += 1) ann.command({ subscribe: { channel: `live:${i}` } });
  await scene.clock.advanceAsync(10);
  const refused = scene.outcome(scene.first.subscribe({ user: 'ann' }, 'chat:y', {}));
  await assert.rejects(refused, /a connection may have 128 subscriptions/);
});

test('what the other nodes cannot be told of is refused, and done nowhere', async () => {
  const scene = await Scene.start();
  const ann = [await scene.connect(0, 'ann'), await scene.connect(1, 'ann')];
  const data = Buffer.from(JSON.stringify('x'.repeat(250_000)));
  const asked = scene.outcome(scene.first.subscribe({ user: 'ann' }, 'chat:x', { data }), 3_000);
  await assert.rejects(asked, /other nodes/);
  for (const { replies } of ann) assert.ok(!replies.some(({ push }) => push?.subscribe));
  assert.equal(scene.nodes[0]?.core.counters.snapshot().bugs, 0);
});

test('credentials are refreshed on every node', async () => {
  const scene = await Scene.start();
  const ann = await scene.connect(1, 'ann');
  const reached = await scene.outcome(scene.first.refresh({ user: 'ann' }, scene.clock.now() + 60_000));
  assert.equal(reached.count, 1);
  assert.equal(ann.replies.find(({ push }) => push?.refresh)?.push?.refresh?.ttl, 60);
});

test('lists are paged over nodes, each item once, channels with the subscriptions of all', async () => {
  const scene = await Scene.start();
  const ids: string[] = [];
  for (let i = 0; i < 9; i += 1) {
    ids.push((await scene.connect(i % 3, i < 6 ? 'ann' : 'bob', 'chat:all', `live:${i}`)).id);
  }
  const listed: string[] = [];
  for (let hasMore = true; hasMore;) {
    const page = await scene.outcome(
      scene.first.connections({ after: listed.at(-1) ?? '', limit: 2 }, { user: 'ann' }),
    );
    listed.push(...page.items.map(([id]) => id));
    hasMore = page.hasMore;
  }
  assert.deepEqual(listed, ids.slice(0, 6).sort());
  const all = await scene.outcome(scene.first.channels({ after: '', limit: 100 }, { pattern: '*' }));
  assert.deepEqual(all.items.slice(0, 2), [
    ['chat:all', 9],
    ['live:0', 1],
  ]);
  assert.equal(all.items.length, 10);
  const some = await scene.outcome(scene.first.channels({ after: 'live:3', limit: 2 }, { pattern: 'live:*' }));
  assert.deepEqual(
    [some.items, some.hasMore],
    [
      [
        ['live:4', 1],
        ['live:5', 1],
      ],
      true,
    ],
  );
  const allowed = { pattern: '*', within: ['live:7', 'none:*'] };
  const few = await scene.outcome(scene.first.channels({ after: '', limit: 100 }, allowed));
  assert.deepEqual(few.items, [['live:7', 1]]);
});

test('a node that does not answer is named, within the bound', async () => {
  const scene = await Scene.start();
  await scene.connect(2, 'ann');
  scene.network.part(['a', 'b'], ['c']);
  const reached = await scene.outcome(scene.first.disconnect({ user: 'ann' }), 3_000);
  assert.deepEqual(reached, { count: 0, silent: ['c'] });
  const page = await scene.outcome(scene.first.connections({ after: '', limit: 5 }), 3_000);
  assert.deepEqual([page.items, page.silent], [[], ['c']]);
});

test('S25: questions come as they were asked, and anything else is a BadMessage', () => {
  const whose = { tenant: 'acme', user: 'ann' };
  const questions: DirectoryQuestion[] = [
    { verb: 'disconnect', whose, kind: disconnects.forceDisconnect, except: ['c'] },
    { verb: 'refresh', whose: { client: 'c' }, expiresAtMs: 5, info: Buffer.from('1') },
    { verb: 'subscribe', whose, name: 'a:b', wanted: { expiresAtMs: 1, recoverSince: { offset: 2, epoch: 'e' } } },
    { verb: 'channels', tenant: '', query: { after: 'x', limit: 3 }, filter: { pattern: '*', within: [] } },
  ];
  const carried = (question: unknown): unknown => JSON.parse(JSON.stringify(question));
  for (const question of questions) assert.deepEqual(readQuestion(carried(writtenQuestion(question))), question);
  const [good] = questions.map((question) => carried(writtenQuestion(question)) as Record<string, unknown>);
  for (const bad of [null, {}, { ...good, verb: 'eval' }, { ...good, whose: 'x' }, { ...good, kind: { code: 'x' } }]) {
    assert.throws(() => readQuestion(bad), BadMessage);
  }
});

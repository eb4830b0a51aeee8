import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import {
  connectClient,
  eventually,
  redisMissing,
  spawnNode,
  startNatsCluster,
  startRedis,
  type SpawnedNode,
} from '@tutti/testkit';
import { engineServerNames, startEngineServer, type EngineServerName } from '@tutti/testkit/engine-server';
import { requireService } from '@tutti/testkit/services';

// Two nodes as processes of their own, on a real Redis and a real NATS; and one alone, on its folder.

const timeout = 180_000;
/** Short enough to wait for, long enough for a machine that is busy with other tests. */
const nodeLeaseMs = 5_000;
const apiKey = 'an-api-key-that-this-file-knows';
const common = { nodeLeaseMs, apiKeys: [{ name: 'all', key: apiKey, allow: ['*'] }] };

interface Seen {
  readonly online: boolean;
  readonly last_seen?: number;
}

interface Answer {
  readonly result?: { readonly users: Record<string, Seen> };
  readonly error?: object;
}

async function call(node: SpawnedNode, ...users: string[]): Promise<Answer> {
  const headers = { 'X-API-Key': apiKey, 'Content-Type': 'application/json' };
  const body = JSON.stringify({ users });
  return (await fetch(`${node.url}/api/last_seen`, { method: 'POST', headers, body })).json() as Promise<Answer>;
}

async function seen(node: SpawnedNode, ...users: string[]): Promise<Record<string, Seen>> {
  const answer = await call(node, ...users);
  assert.ok(answer.result !== undefined, JSON.stringify(answer));
  return answer.result.users;
}

/** Asked until a condition holds; then what was answered. */
async function seenOnce(node: SpawnedNode, user: string, isDue: (seen: Seen) => boolean): Promise<Seen> {
  let last: Seen | undefined;
  await eventually(
    async () => {
      last = (await seen(node, user))[user];
      return last !== undefined && isDue(last);
    },
    { withinMs: 60_000, what: `${user} is seen as expected` },
  );
  assert.ok(last);
  return last;
}

async function missing(name: EngineServerName): Promise<string | undefined> {
  if (name === 'redis') return redisMissing();
  const service = await requireService('nats-server');
  return 'skip' in service ? service.skip : undefined;
}

type Client = Awaited<ReturnType<typeof connectClient>>;

async function connect(t: TestContext, node: SpawnedNode, ...users: string[]): Promise<Client[]> {
  const clients = await Promise.all(users.map((user) => connectClient(node, { user })));
  t.after(() => clients.forEach((client) => client.close()));
  return clients;
}

/** How close the moment is to a kill is a matter of beats, and of core's tests; all clocks here are the same. */
function isWithin(seen: Seen | undefined, sinceMs: number, untilMs: number): boolean {
  return seen?.online === false && (seen.last_seen ?? 0) >= sinceMs && (seen.last_seen ?? 0) <= untilMs;
}

async function metric(node: SpawnedNode, metricName: string): Promise<number> {
  const page = await (await fetch(`${node.url}/metrics`)).text();
  return Number(new RegExp(`^${metricName} (\\d+)$`, 'm').exec(page)?.[1] ?? NaN);
}

/** The store has who is there. */
async function isKept(node: SpawnedNode): Promise<void> {
  const isDone = async (): Promise<boolean> =>
    (await metric(node, 'tutti_last_seen_waiting')) === 0 && (await metric(node, 'tutti_last_seen_written_total')) > 0;
  await eventually(isDone, { withinMs: 60_000, what: 'the node has written who is there' });
}

interface Breakable {
  readonly url: string;
  kill(): Promise<void>;
  restart(): Promise<void>;
  close(): Promise<void>;
}

async function startBreakable(name: EngineServerName): Promise<Breakable> {
  if (name === 'redis') return startRedis({ persistence: 'always' });
  const service = await requireService('nats-server');
  if ('skip' in service) throw new Error(service.skip);
  const nats = await startNatsCluster({ program: service.path });
  const kill = async (): Promise<void> => {
    await Promise.all(nats.servers.map((server) => server.kill()));
  };
  return { url: nats.url, kill, restart: () => nats.start(), close: () => nats.close() };
}

for (const name of engineServerNames) {
  const skip = await missing(name);
  const options = { timeout, ...(skip === undefined ? {} : { skip }) };

  test(
    `PRE-2: who leaves one node, or is on one that is killed, has a last seen on the other [${name}]`,
    options,
    async (t) => {
      const engine = await startEngineServer(name);
      t.after(() => engine.close());
      const nodeOptions = { settings: { ...common, engine: engine.url } };
      const [a, b] = await Promise.all([spawnNode(nodeOptions), spawnNode(nodeOptions)]);
      t.after(() => Promise.all([a.close(), b.close()]));

      const connectingMs = Date.now();
      const onA = await connect(t, a, 'ann', 'bob', 'cat');
      const onB = await connect(t, b, 'cat');
      await seenOnce(b, 'ann', ({ online }) => online);
      assert.deepEqual(await seen(a, 'cat', 'nobody'), { cat: { online: true }, nobody: { online: false } });

      const beforeMs = Date.now();
      onA[0]?.close();
      const left = await seenOnce(b, 'ann', ({ online }) => !online);
      assert.ok(left.last_seen !== undefined && left.last_seen >= beforeMs && left.last_seen <= Date.now());
      assert.deepEqual(await seenOnce(a, 'ann', ({ online }) => !online), left);

      await isKept(a);
      await a.kill();
      const killedMs = Date.now();
      const killed = await seenOnce(b, 'bob', ({ online }) => !online);
      assert.ok(isWithin(killed, connectingMs, killedMs));
      assert.deepEqual(await seen(b, 'cat', 'ann'), { cat: { online: true }, ann: left });

      // Nobody is left who saw it.
      await b.kill();
      for (const client of [...onA, ...onB]) client.close();
      await Promise.all([a.restart(), b.restart()]);
      const { bob, cat } = await seen(a, 'bob', 'cat');
      assert.deepEqual(bob, killed);
      assert.ok(isWithin(cat, connectingMs, Date.now()));
    },
  );

  test(`PRE-2: who leaves while the engine is away has a last seen when it is back [${name}]`, options, async (t) => {
    const engine = await startBreakable(name);
    t.after(() => engine.close());
    const nodeOptions = { settings: { ...common, engine: engine.url } };
    const [a, b] = await Promise.all([spawnNode(nodeOptions), spawnNode(nodeOptions)]);
    t.after(() => Promise.all([a.close(), b.close()]));
    const [ann, bob] = await connect(t, a, 'ann', 'bob');
    await isKept(a);
    await engine.kill();
    const leavingMs = Date.now();
    ann?.close();
    await eventually(async () => (await metric(a, 'tutti_last_seen_waiting')) > 0, { withinMs: 60_000 });
    const awayMs = Date.now();
    await eventually(async () => (await metric(a, 'tutti_last_seen_writes_failed_total')) > 0, { withinMs: 60_000 });
    assert.equal(bob?.tutti.state, 'connected');
    await engine.restart();
    await eventually(async () => (await metric(a, 'tutti_last_seen_waiting')) === 0, { withinMs: 60_000 });
    await eventually(async () => (await call(b, 'bob')).result?.users['bob']?.online === true, { withinMs: 60_000 });
    const [onA, onB] = [await seen(a, 'ann'), await seen(b, 'ann')];
    assert.ok(isWithin(onB['ann'], leavingMs, awayMs), JSON.stringify({ onB, leavingMs, awayMs }));
    assert.deepEqual(onA, onB);
    assert.equal(await metric(a, 'tutti_last_seen_lost_total'), 0);
  });
}

test(
  'PRE-2: a node alone that is killed knows afterwards when its users were there, from its folder',
  { timeout },
  async (t) => {
    const node = await spawnNode({ settings: common, namespaces: { log: { durable: true, historySize: 10 } } });
    t.after(() => node.close());
    const connectingMs = Date.now();
    const [ann, bob] = await connect(t, node, 'ann', 'bob');
    ann?.close();
    const left = await seenOnce(node, 'ann', ({ online }) => !online);
    await isKept(node);
    await node.kill();
    const killedMs = Date.now();
    bob?.close();
    await node.restart();
    const after = await seen(node, 'ann', 'bob');
    assert.deepEqual(after['ann'], left);
    assert.ok(isWithin(after['bob'], connectingMs, killedMs));
  },
);

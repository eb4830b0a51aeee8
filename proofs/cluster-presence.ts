import { RawConnection, type RawHandler } from '@tutti/bench/load/raw-connection';
import { connectionToken } from '@tutti/bench/load/token';
import { engineServerNames, startEngineServer, type EngineServerName } from '@tutti/testkit/engine-server';
import { spawnNode, type SpawnedNode } from '@tutti/testkit/spawn-node';
import { testTokenSecret } from '@tutti/testkit/test-settings';
import { readMetrics } from './metrics.ts';
import { judgeLastSeen, type AskSeen, type Span } from './cluster/last-seen.ts';
import { MemoryWatch } from './process-memory.ts';
import type { Proof, Verdict } from './proof.ts';
import { until } from './waiting.ts';

const room = 'room:everybody';
const apiKey = 'a-key-that-this-proof-alone-knows';
const pong = '{}';
/** PRE-1 and PRE-4. */
const cleanMsMax = 2_000;
const killedMsMax = 15_000;
/** For a busy machine: nothing of it is the nodes' promise. */
const noiseMs = 2_000;
const connectMsMax = 60_000;
const connectsAtOnce = 100;
const pageMax = 1_000;
/** Users with one device, on one node: of those nobody is left when it goes. */
const lonelyUsers = 200;
const nodeLeaseMs = 10_000;

/** One device of a user, that answers pings. */
class Device implements RawHandler {
  client: string | undefined;
  isIn = false;
  isOpen = true;
  readonly user: string;
  readonly #connection: RawConnection;

  constructor(index: number, user: string, port: number) {
    this.user = user;
    this.#connection = new RawConnection(index, { host: '127.0.0.1', port, path: '/connection/websocket' }, this);
  }

  opened(connection: RawConnection): void {
    const connect = { id: 1, connect: { token: connectionToken(this.user, testTokenSecret) } };
    const subscribe = { id: 2, subscribe: { channel: room } };
    connection.send(`${JSON.stringify(connect)}\n${JSON.stringify(subscribe)}`);
  }

  received(connection: RawConnection, payload: Buffer): void {
    const text = payload.toString();
    if (text === pong) connection.send(pong);
    this.client ??= /"client":"([^"]+)"/.exec(text)?.[1];
    if (text.includes('"id":2')) this.isIn = !text.includes('"error"');
  }

  closed(): void {
    this.isOpen = false;
  }

  destroy(): void {
    this.#connection.destroy();
  }
}

/** Three nodes and everybody on them. */
class Scene {
  readonly nodes: SpawnedNode[] = [];
  readonly devices: { device: Device; node: number }[] = [];
  readonly #users: number;

  constructor(users: number) {
    this.#users = users;
  }

  async connect(node: number, count: number, nameOf = (i: number) => `user${i % this.#users}`): Promise<Device[]> {
    const connected: Device[] = [];
    const { port } = this.nodes[node]!;
    const deadline = performance.now() + connectMsMax;
    for (let done = 0; done < count;) {
      const batch = Array.from({ length: Math.min(connectsAtOnce, count - done) }, () => {
        const index = this.devices.length;
        const device = new Device(index, nameOf(index), port);
        this.devices.push({ device, node });
        connected.push(device);
        return device;
      });
      if (!(await until(() => batch.every(({ isIn }) => isIn), deadline - performance.now())))
        throw new Error('not all devices could subscribe');
      done += batch.length;
    }
    return connected;
  }

  /** Client ids that a node should list, and how many users. */
  get truth(): { clients: string[]; users: number } {
    const open = this.devices.filter(({ device }) => device.isOpen);
    const clients = open.map(({ device }) => device.client ?? '').sort();
    return { clients, users: new Set(open.map(({ device }) => device.user)).size };
  }

  /** Milliseconds until all nodes that run count and list what is true; undefined: not in time. */
  async agreed(withinMs: number): Promise<number | undefined> {
    const started = performance.now();
    const { clients, users } = this.truth;
    const isAgreed = async (): Promise<boolean> => {
      const answers = await Promise.all(this.running.map((node) => call(node, 'presence_stats', { channel: room })));
      const isCounted = answers.every(
        ({ num_clients: all, num_users: each }) => all === clients.length && each === users,
      );
      // A node that is back with as many members as it had counts right before anybody knows.
      return isCounted && (await this.wrongLists()).length === 0;
    };
    return (await until(isAgreed, withinMs + noiseMs)) ? Math.round(performance.now() - started) : undefined;
  }

  /** Nodes whose list, page by page, is not exactly what is true. */
  async wrongLists(): Promise<string[]> {
    const expected = this.truth.clients.join();
    const wrong: string[] = [];
    for (const node of this.running) {
      const listed: string[] = [];
      for (let cursor: unknown = ''; typeof cursor === 'string';) {
        const page = await call(node, 'presence', { channel: room, limit: pageMax, cursor });
        listed.push(...Object.keys(page['presence'] as object));
        cursor = page['next_cursor'];
      }
      if (listed.sort().join() !== expected) wrong.push(`${node.url} lists ${listed.length} members`);
    }
    return wrong;
  }

  get running(): SpawnedNode[] {
    return this.nodes.filter(({ isRunning }) => isRunning);
  }

  async close(): Promise<void> {
    for (const { device } of this.devices) device.destroy();
    await Promise.all(this.nodes.map((node) => node.close()));
  }
}

async function call(node: SpawnedNode, method: string, params: object): Promise<Record<string, unknown>> {
  const headers = { 'X-API-Key': apiKey, 'Content-Type': 'application/json' };
  const response = await fetch(`${node.url}/api/${method}`, { method: 'POST', headers, body: JSON.stringify(params) });
  const { result } = (await response.json()) as { result?: Record<string, unknown> };
  if (result === undefined) throw new Error(`${method} was refused by ${node.url}`);
  return result;
}

export const clusterPresence: Proof = {
  name: 'presence',
  shows:
    'three nodes give the same list of members through a clean leave, a kill -9 and a return with the same name, and the same last seen (PRE-1 to 4)',
  options: {
    members: { default: 5_000, description: 'connections in one channel, over the nodes' },
    devices: { default: 3, description: 'connections of one user' },
  },
  choices: { engine: { default: 'redis', choices: engineServerNames, description: 'what is under the nodes' } },
  run: async ({ members = 0, devices = 1 }, say, { engine: name }) => {
    const engine = await startEngineServer(name as EngineServerName);
    const scene = new Scene(Math.max(1, Math.floor(members / devices)));
    try {
      for (const nodeName of ['a', 'b', 'c']) scene.nodes.push(await startNode(engine.url, nodeName));
      return await run(scene, members, say);
    } finally {
      await scene.close();
      await engine.close();
    }
  },
};

function askSeen(node: SpawnedNode): AskSeen {
  return async (users) => (await call(node, 'last_seen', { users }))['users'] as Awaited<ReturnType<AskSeen>>;
}

function startNode(engine: string, nodeName: string): Promise<SpawnedNode> {
  return spawnNode({
    settings: {
      ...{ nodeLeaseMs, engine, nodeName, clusterSecret: 'a secret that the nodes of this proof know' },
      ...{ connectionsPerAddressMax: 100_000, connectRateMax: 0, loopLagMaxMs: 0 },
      apiKeys: [{ name: 'proof', key: apiKey, allow: ['*'] }],
    },
    namespaces: { room: { presence: true } },
  });
}

async function run(scene: Scene, members: number, say: (line: string) => void): Promise<Verdict> {
  const broken: string[] = [];
  const figures: Record<string, unknown> = { members };
  const check = async (what: string, figure: string, withinMs: number): Promise<void> => {
    const ms = await scene.agreed(withinMs);
    const wrong = ms === undefined ? [] : await scene.wrongLists();
    if (ms === undefined) broken.push(`${what}: the nodes do not count ${scene.truth.clients.length} members in time`);
    for (const each of wrong) broken.push(`${what}: ${each} and not ${scene.truth.clients.length}`);
    figures[figure] = ms ?? null;
    say(`${what}: ${scene.truth.clients.length} members, ${scene.truth.users} users, agreed after ${ms ?? '–'} ms`);
  };

  const checkSeen = async (what: string, figure: string, users: readonly string[], span: Span): Promise<void> => {
    const { wrong, earliestMs } = await judgeLastSeen(scene.running.map(askSeen), users, span);
    for (const each of wrong) broken.push(`${what}: last seen: ${each}`);
    figures[figure] = earliestMs;
    say(`${what}: last seen of ${users.length} users, on ${scene.running.length} nodes, from ${earliestMs} ms before`);
  };

  for (let node = 0; node < 3; node += 1) await scene.connect(node, Math.floor(members / 3));
  const left = await scene.connect(0, lonelyUsers, (i) => `left${i}`);
  const lost = await scene.connect(1, lonelyUsers, (i) => `lost${i}`);
  await check('everybody is in', 'joinedMs', cleanMsMax);
  figures['rssMiB'] = scene.nodes.map(({ pid }) => rssMiB(pid));

  const leavingMs = Date.now();
  const leaving = scene.devices.filter(
    ({ device }, i) => left.includes(device) || (i % 10 === 0 && !lost.includes(device)),
  );
  for (const { device } of leaving) device.destroy();
  await until(() => leaving.every(({ device }) => !device.isOpen), connectMsMax);
  await check('one in ten left', 'leftMs', cleanMsMax);
  const namesOf = (devices: readonly Device[]): string[] => devices.map(({ user }) => user);
  await checkSeen('one in ten left', 'leftSeenMs', namesOf(left), { sinceMs: leavingMs, untilMs: Date.now() });

  // Who came in the second before the kill is not written yet (docs/decisions/0016).
  const isWritten = async (): Promise<boolean> =>
    (await readMetrics(scene.nodes[1]!.url)).sum('tutti_last_seen_waiting') === 0;
  await until(isWritten, connectMsMax);
  await scene.nodes[1]!.kill();
  const killedMs = Date.now();
  await until(() => scene.devices.every(({ device, node }) => node !== 1 || !device.isOpen), connectMsMax);
  await check('node b was killed', 'killedMs', killedMsMax);
  const span = { sinceMs: killedMs - nodeLeaseMs - noiseMs, untilMs: killedMs };
  await checkSeen('node b was killed', 'killedSeenMs', namesOf(lost), span);

  await scene.nodes[1]!.restart();
  await scene.connect(1, Math.floor(members / 10));
  await check('node b is back with its name', 'returnedMs', cleanMsMax);
  await checkSeen('node b is back with its name', 'returnedSeenMs', namesOf(lost), span);

  // Killed and back at once: its predecessor's members must not stay, nor hide those of the new process.
  await scene.nodes[1]!.kill();
  await until(() => scene.devices.every(({ device, node }) => node !== 1 || !device.isOpen), connectMsMax);
  await scene.nodes[1]!.restart();
  await scene.connect(1, Math.floor(members / 10));
  await check('node b was killed and is back at once', 'replacedMs', killedMsMax);
  return { broken, figures };
}

function rssMiB(pid: number): number {
  const watch = new MemoryWatch(pid);
  watch.stop();
  return watch.takeMost();
}

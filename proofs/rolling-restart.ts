import { engineServerNames, startEngineServer, type EngineServerName } from '@tutti/testkit/engine-server';
import { startNginx } from '@tutti/testkit/proxies';
import { requireService } from '@tutti/testkit/services';
import { spawnNode, type SpawnedNode } from '@tutti/testkit/spawn-node';
import {
  judgeOnlookers,
  officialClient,
  ownClient,
  settle,
  startPublisher,
  type Publisher,
  type Seen,
  type Door,
} from './onlookers.ts';
import type { Proof } from './proof.ts';
import { until } from './waiting.ts';

const channel = 'log:everybody';
const nodeNames = ['a', 'b', 'c'] as const;
const readyMsMax = 30_000;
const movingMsMax = 30_000;
/** Acknowledged between two restarts: the load never stops. */
const betweenMin = 20;

/** One node stopped and started again. */
interface Restarted {
  readonly node: string;
  readonly exitCode: number | string;
  /** From the signal to the end of the process. */
  readonly drainMs: number;
  /** Connections of clients that ended meanwhile. */
  readonly moved: number;
  /** Publications acknowledged from the signal until it was ready again. */
  readonly acknowledged: number;
}

interface Scene {
  readonly nodes: readonly SpawnedNode[];
  readonly clients: readonly Seen[];
  readonly publisher: Publisher;
  readonly broken: string[];
}

export const rollingRestart: Proof = {
  name: 'rolling-restart',
  shows:
    'each node of three behind nginx is drained and started again under publishing: nothing lost or doubled, no publish fails (CON-3, DEL-1 to DEL-6)',
  options: {
    clients: { default: 10, description: 'subscribers with each of the two SDKs' },
    perSecond: { default: 200, description: 'publications a second' },
    drainMs: { default: 3_000, description: 'drain time of each node, milliseconds' },
    rounds: { default: 2, description: 'times that all nodes are restarted, one after the other' },
  },
  choices: { engine: { default: 'redis', choices: engineServerNames, description: 'what the nodes share' } },
  run: async ({ clients: count = 0, perSecond = 1, drainMs = 0, rounds = 0 }, say, { engine: name }) => {
    const nginx = await requireService('nginx');
    if ('skip' in nginx) throw new Error(nginx.skip);
    const closers: (() => void | Promise<void>)[] = [];
    try {
      const engine = await startEngineServer(name as EngineServerName);
      closers.unshift(() => engine.close());
      const nodes: SpawnedNode[] = [];
      for (const nodeName of nodeNames) {
        const node = await startNode(engine.url, nodeName, drainMs);
        nodes.push(node);
        closers.unshift(() => node.close());
      }
      const proxy = await startNginx({ path: nginx.path, targets: nodes.map(({ port }) => port) });
      closers.unshift(() => proxy.close());
      const scene = await everybody(nodes, proxy.port, { count, perSecond }, closers);
      const restarts: Restarted[] = [];
      for (let i = 0; i < rounds * nodes.length; i += 1) {
        const restarted = await restart(scene, i % nodes.length);
        restarts.push(restarted);
        say(`${i + 1}: ${JSON.stringify(restarted)}`);
      }
      return await judge(scene, restarts, say);
    } finally {
      for (const close of closers) await close();
    }
  },
};

function startNode(engine: string, nodeName: string, drainTimeMs: number): Promise<SpawnedNode> {
  return spawnNode({
    settings: {
      ...{ engine, nodeName, drainTimeMs, clusterSecret: 'a secret that the nodes of this proof know' },
      ...{ trustedProxies: ['127.0.0.1'], connectionsPerAddressMax: 10_000 },
    },
    namespaces: { log: { historySize: 100_000, allowPublish: 'user' } },
  });
}

async function everybody(
  nodes: readonly SpawnedNode[],
  port: number,
  { count, perSecond }: { readonly count: number; readonly perSecond: number },
  closers: (() => void | Promise<void>)[],
): Promise<Scene> {
  const [first] = nodes;
  if (first === undefined) throw new Error('there are no nodes');
  const door: Door = {
    wsUrl: `ws://127.0.0.1:${port}/connection/websocket`,
    token: (claims) => first.token(claims),
    subscriptionToken: (claims) => first.subscriptionToken(claims),
  };
  const opened: (() => void)[] = [];
  // Those that speak end before what they speak to.
  closers.unshift(() => {
    for (const close of opened) close();
  });
  const clients: Seen[] = [];
  for (let i = 0; i < count; i += 1) {
    clients.push(await officialClient(door, channel, opened), await ownClient(door, channel, opened));
  }
  const publisher = await startPublisher(door, channel, 1_000 / Math.max(1, perSecond), opened);
  return { nodes, clients, publisher, broken: [] };
}

async function restart({ nodes, clients, publisher, broken }: Scene, index: number): Promise<Restarted> {
  const [node, name] = [nodes[index], nodeNames[index] ?? ''];
  if (node === undefined) throw new Error(`there is no node ${index}`);
  const goesOn = async (what: string): Promise<void> => {
    const before = publisher.acknowledged.length;
    if (!(await until(() => publisher.acknowledged.length > before + betweenMin, movingMsMax)))
      broken.push(`${what} of node ${name} nothing was acknowledged for ${movingMsMax} ms`);
  };
  await goesOn('before the restart');
  const [endsBefore, acknowledgedBefore, startedMs] = [ends(clients), publisher.acknowledged.length, performance.now()];
  const exitCode = await node.stop();
  const drainMs = Math.round(performance.now() - startedMs);
  if (exitCode !== 0) broken.push(`node ${name} ended with ${exitCode}, not with 0:\n${node.stderr}`);
  // The others do it without this one.
  await goesOn('during the absence');
  await node.restart().catch(async () => {
    // On a machine that is too busy its start may take too long; once more.
    await node.kill();
    await node.restart();
  });
  const isReady = async (): Promise<boolean> => (await fetch(`${node.url}/ready`)).ok;
  if (!(await until(isReady, readyMsMax))) broken.push(`node ${name} was not ready again within ${readyMsMax} ms`);
  const acknowledged = publisher.acknowledged.length - acknowledgedBefore;
  return { node: name, exitCode, drainMs, moved: ends(clients) - endsBefore, acknowledged };
}

async function judge(
  { clients, publisher, broken }: Scene,
  restarts: readonly Restarted[],
  say: (line: string) => void,
): ReturnType<Proof['run']> {
  await publisher.stop();
  await settle(clients, publisher.acknowledged, say);
  // Whoever was never moved shows nothing: each was on a node that ended.
  const unmoved = clients.filter(({ lostAtMs }) => lostAtMs.length === 0).length;
  if (unmoved > 0) broken.push(`${unmoved} clients never lost a connection: they were not where the restarts were`);
  const verdict = judgeOnlookers(clients, publisher, { restarts, clients: clients.length });
  const { clients: _, ...figures } = verdict.figures;
  const seen = clients.reduce((sum, { positions }) => sum + positions.length, 0);
  const total = { clients: clients.length, seen, ends: ends(clients), failedPublishes: publisher.unknown.length };
  return { broken: [...broken, ...verdict.broken], figures: { ...figures, ...total } };
}

function ends(clients: readonly Seen[]): number {
  return clients.reduce((sum, { lostAtMs }) => sum + lostAtMs.length, 0);
}

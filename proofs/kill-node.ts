import { spawnNode, type SpawnedNode } from '@tutti/testkit/spawn-node';
import { startBalancer } from './cluster/balancer.ts';
import { Crowd, isSettled, judgeCrowd, quantile } from './cluster/crowd.ts';
import { engineNames, startEngine, type EngineName } from './engines.ts';
import type { Proof } from './proof.ts';
import { pause, until } from './waiting.ts';

const nodeCount = 3;
const publisherCount = 10;
const backMsMax = 60_000;
const settleMsMax = 60_000;
/** Half of those whose node died are with another by then. */
const backMedianMsMax = 5_000;
const downMs = 1_000;

export const killNode: Proof = {
  name: 'kill-node',
  shows:
    'kill -9 of nodes under load, the channels in a shared engine: nothing acknowledged is lost, nothing comes twice, one order everywhere (DEL-1 to DEL-6)',
  options: {
    kills: { default: 6, description: 'nodes killed, one after the other, each started again' },
    perSecond: { default: 200, description: 'publications a second, over all channels' },
    channels: { default: 50, description: 'durable channels' },
    clients: { default: 300, description: 'subscribers, each of one channel' },
  },
  choices: { engine: { default: 'nats', choices: engineNames, description: 'what the nodes share' } },
  run: async ({ kills = 0, perSecond = 0, channels = 0, clients = 0 }, say, { engine: name }) => {
    const closers: (() => void | Promise<void>)[] = [];
    try {
      const engine = await startEngine(name as EngineName);
      closers.unshift(() => engine.close());
      const nodes = await startNodes(engine.url, closers);
      const balancer = await startBalancer(nodes.map(({ port }) => port));
      closers.unshift(() => balancer.close());
      const crowd = new Crowd(balancer.wsUrl, nodes[0]!);
      closers.unshift(() => crowd.close());
      const names = Array.from({ length: channels }, (_, i) => `log:${i}`);
      for (let i = 0; i < clients; i += 1) await crowd.watch(names[i % names.length] ?? '');
      say(`${clients} clients of ${channels} channels on ${nodeCount} nodes; ${String(name)}`);
      await crowd.publish(names, perSecond, publisherCount);
      const broken: string[] = [];
      // In turn, from anyone on: the one that was killed last has no clients yet.
      const first = Math.floor(Math.random() * nodeCount);
      for (let i = 1; i <= kills; i += 1) await killOne(crowd, nodes[(first + i) % nodeCount], i, broken, say);
      await crowd.stop();
      if (!(await until(() => isSettled(crowd), settleMsMax))) broken.push(`not settled within ${settleMsMax} ms`);
      const judged = judgeCrowd(crowd);
      const back = {
        medianMs: quantile(crowd.awayMs, 0.5),
        p95Ms: quantile(crowd.awayMs, 0.95),
        times: crowd.awayMs.length,
      };
      if (back.medianMs > backMedianMsMax) broken.push(`clients were away for ${back.medianMs} ms in the median`);
      return {
        broken: [...broken, ...judged.broken],
        figures: { engine: String(name), kills, back, ...judged.figures },
      };
    } finally {
      for (const close of closers) await close();
    }
  },
};

async function startNodes(url: string, closers: (() => void | Promise<void>)[]): Promise<SpawnedNode[]> {
  const clusterSecret = 'the nodes of this proof believe each other';
  const nodes: SpawnedNode[] = [];
  for (let i = 1; i <= nodeCount; i += 1) {
    const node = await spawnNode({
      settings: { engine: url, nodeName: `node-${i}`, clusterSecret, connectionsPerAddressMax: 10_000 },
      namespaces: { log: { durable: true, historySize: 100_000, allowPublish: 'user', allowSubscribe: 'user' } },
    });
    nodes.push(node);
    closers.unshift(() => node.close());
  }
  return nodes;
}

async function killOne(
  crowd: Crowd,
  node: SpawnedNode | undefined,
  round: number,
  broken: string[],
  say: (line: string) => void,
): Promise<void> {
  const before = crowd.acknowledged.length;
  if (!(await until(() => crowd.acknowledged.length > before + 100, backMsMax))) broken.push('publishing stands still');
  const awayBefore = crowd.awayMs.length;
  await node?.kill();
  await pause(downMs);
  await node?.restart().catch(async () => {
    // On a machine that is too busy its start may take too long; once more.
    await node.kill();
    await node.restart();
  });
  if (!(await until(() => crowd.watchers.every(({ isBack }) => isBack), backMsMax))) {
    broken.push(`not everybody was back within ${backMsMax} ms`);
  }
  const away = crowd.awayMs.slice(awayBefore);
  say(
    `kill ${round}: ${away.length} clients away, median ${quantile(away, 0.5)} ms, ${crowd.acknowledged.length} acknowledged`,
  );
}

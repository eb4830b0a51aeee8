import { Tutti } from '@tutti/client';
import { spawnNode, type SpawnedNode } from '@tutti/testkit/spawn-node';
import { officialOnlooker, ownOnlooker, settle, type Named, type Onlooker } from './following.ts';
import { engineNames, startEngine, type EngineName, type EngineUnderTest } from './engines.ts';
import type { Proof, Verdict } from './proof.ts';
import { Publishing, type Acknowledged } from './publishing.ts';
import { pause, until } from './waiting.ts';

const channel = 'chat:broker';
const publishEveryMs = 10;
const nodesCount = 3;
/** Acknowledged by the leader alone, before it dies. */
const doomedMin = 50;
const goOnMsMax = 60_000;

/** DEL-3, DEL-5 and DEL-9 with the store's leader lost, from outside. */
export const killBroker: Proof = {
  name: 'kill-broker',
  shows:
    'the leader of the engine dies before others have all it acknowledged: no position names two publications, every client is told, nodes and connections stay (DEL-3, DEL-5, DEL-9)',
  options: {
    kills: { default: 2, description: 'times the leader is killed' },
    replicas: { default: 0, description: 'engineReplicas: with 1, nothing acknowledged may be lost' },
  },
  choices: { engine: { default: 'redis', choices: engineNames, description: 'what is under the nodes' } },
  run: async ({ kills = 0, replicas = 0 }, say, { engine: name }) => {
    const engine = await startEngine(name as EngineName);
    const nodes: SpawnedNode[] = [];
    const closers: (() => void)[] = [];
    try {
      for (let i = 1; i <= nodesCount; i += 1) nodes.push(await node(engine, `n${i}`, replicas));
      const onlookers = [
        await officialOnlooker(nodes[0]!, channel, closers),
        await ownOnlooker(nodes[1]!, channel, closers),
        await ownOnlooker(nodes[2]!, channel, closers),
      ];
      const publishing = new Publishing(channel);
      closers.push(() => publishing.end());
      for (const each of nodes) {
        const tutti = new Tutti(each.wsUrl, { token: await each.token({ user: 'carl' }), timeoutMs: 30_000 });
        closers.push(() => tutti.close());
        publishing.add(tutti, publishEveryMs);
      }
      const pids = nodes.map(({ pid }) => pid);
      const silences: number[] = [];
      for (let i = 1; i <= kills; i += 1) {
        silences.push(await killOnce(engine, publishing, replicas));
        say(
          `kill ${i} of ${kills}: ${publishing.acknowledged.length} acknowledged so far, silent for ${silences.at(-1)} ms`,
        );
      }
      await publishing.stop();
      const kept = await settle(nodes[0]!, channel, onlookers);
      const broken = judge(onlookers, publishing, kept, {
        kills,
        losesAny: name !== 'nats' && replicas === 0,
        tells: name !== 'nats',
      });
      if (nodes.some(({ pid, isRunning }, i) => !isRunning || pid !== pids[i])) broken.push('a node has ended');
      return verdict(broken, onlookers, publishing, kept, silences);
    } finally {
      for (const close of closers) close();
      await Promise.all(nodes.map((each) => each.close()));
      await engine.close();
    }
  },
};

function node(engine: EngineUnderTest, nodeName: string, engineReplicas: number): Promise<SpawnedNode> {
  return spawnNode({
    settings: { engine: engine.url, nodeName, engineReplicas },
    namespaces: { chat: { historySize: 100_000, durable: true, allowPublish: 'user', allowHistory: 'user' } },
  });
}

/** Resolves to the milliseconds in which nothing was acknowledged. */
async function killOnce(engine: EngineUnderTest, publishing: Publishing, replicas: number): Promise<number> {
  const { acknowledged } = publishing;
  await publishing.more(doomedMin);
  const before = acknowledged.length;
  const isAlone = engine.isolateLeader(channel);
  // With replicas to wait for, what the leader alone has is not acknowledged.
  if (isAlone && replicas === 0) await until(() => acknowledged.length >= before + doomedMin, goOnMsMax);
  else await pause(1_000);
  await engine.killLeader();
  // With a replica to wait for, nothing goes on until there is one again.
  if (replicas === 0) await publishing.more(doomedMin);
  if (!(await engine.mend())) throw new Error('the killed server did not come back into step');
  await publishing.more(doomedMin);
  const times = acknowledged.slice(before - 1).map(({ atMs }) => atMs);
  return Math.round(Math.max(...times.map((atMs, i) => atMs - (times[i - 1] ?? atMs))));
}

function judge(
  onlookers: readonly Onlooker[],
  { acknowledged }: Publishing,
  kept: ReadonlyMap<string, string>,
  { kills, losesAny, tells }: { kills: number; losesAny: boolean; tells: boolean },
): string[] {
  const broken: string[] = [];
  const texts = new Map<string, string>(kept);
  const name = ({ position, text }: Named, who: string): void => {
    if ((texts.get(position) ?? text) !== text) broken.push(`${who}: ${position} names two publications (DEL-3)`);
    texts.set(position, text);
  };
  for (const each of acknowledged) name(each, 'an acknowledgement');
  const [lastKept] = [...kept.keys()].slice(-1);
  for (const { who, seen, told, connects, holes } of onlookers) {
    for (const each of seen) name(each, who);
    if (holes > 0) broken.push(`${who}: ${holes} holes that it was not told of (DEL-2)`);
    // Where nothing can be lost, clients go on from their position, and to tell them otherwise would make them load anew.
    if (tells && told < kills) broken.push(`${who}: told ${told} times of ${kills} losses (DEL-9)`);
    if (!tells && told > 0) broken.push(`${who}: told ${told} times of a loss, and nothing was lost (DEL-9)`);
    if (connects > 1) broken.push(`${who}: its connection ended ${connects - 1} times`);
    if (seen.at(-1)?.position !== lastKept) broken.push(`${who}: has not the last publication (DEL-5)`);
  }
  const lost = lostOf(acknowledged, kept);
  if (!losesAny && lost > 0) broken.push(`${lost} acknowledged publications are lost, in spite of copies (DEL-5)`);
  return broken;
}

function lostOf(acknowledged: readonly Acknowledged[], kept: ReadonlyMap<string, string>): number {
  const texts = new Set(kept.values());
  return acknowledged.filter(({ text }) => !texts.has(text)).length;
}

function verdict(
  broken: string[],
  onlookers: readonly Onlooker[],
  { acknowledged, refused }: Publishing,
  kept: ReadonlyMap<string, string>,
  silences: readonly number[],
): Verdict {
  const epochs = new Set(acknowledged.map(({ position }) => position.split('/')[0]));
  return {
    broken,
    figures: {
      acknowledged: acknowledged.length,
      refused,
      lostByTheStore: lostOf(acknowledged, kept),
      epochs: epochs.size,
      silentMs: silences,
      onlookers: onlookers.map(({ who, seen, told }) => ({ who, seen: seen.length, told })),
    },
  };
}

import { spawnNode, type SpawnedNode } from '@tutti/testkit/spawn-node';
import { testTokenSecret } from '@tutti/testkit/test-settings';
import {
  judgeOnlookers,
  officialClient,
  ownClient,
  settle,
  startPublisher,
  type Publisher,
  type Seen,
} from './onlookers.ts';
import type { Proof } from './proof.ts';
import { quarterUs } from './returning/messages.ts';
import { ReturningFleet } from './returning/returning-fleet.ts';
import { pause, until } from './waiting.ts';

const channel = 'chat:drain';
const publishEveryMs = 10;
const backMsMax = 60_000;
/** The node's own (core/drain.ts): fewer connections than this many a second need not take the whole time. */
const perSecondMin = 100;
const askReadyEveryMs = 10;
/** For a process that is to end at once, on a busy machine. */
const atOnceMs = 2_000;

interface Round {
  readonly exitCode: number | string;
  readonly drainMs: number;
  readonly plannedPerSecond: number;
  /** Most closes in any second, as the clients saw them. */
  readonly peakPerSecond: number;
  /** From the signal to the first "not ready". */
  readonly notReadyMs: number;
  /** From the signal to the first end of a connection. */
  readonly firstEndMs: number;
  readonly backMs: number;
}

interface Scene {
  readonly node: SpawnedNode;
  readonly fleet: ReturningFleet;
  readonly onlookers: readonly Seen[];
  readonly publisher: Publisher;
  readonly drainMs: number;
  readonly broken: string[];
}

export const drain: Proof = {
  name: 'drain',
  shows:
    'restarts by SIGTERM under publishing load: not ready first, ends spread as planned, nothing lost or doubled, exit code 0 (CON-3, DEL-2, DEL-6)',
  options: {
    connections: { default: 2_000, description: 'clients besides the two SDKs and the publisher' },
    drainMs: { default: 5_000, description: 'drain time of the node, milliseconds' },
    rounds: { default: 3, description: 'times the node is stopped and started again' },
  },
  run: async ({ connections = 0, drainMs = 0, rounds = 0 }, say) => {
    const node = await spawnNode({
      settings: { drainTimeMs: drainMs, connectionsPerAddressMax: 100_000 },
      namespaces: { chat: { historySize: 100_000, durable: true, allowPublish: 'user' } },
    });
    const closers: (() => void)[] = [];
    const broken: string[] = [];
    try {
      const onlookers = [await officialClient(node, channel, closers), await ownClient(node, channel, closers)];
      const fleet = await filled(node, connections, closers);
      const publisher = await startPublisher(node, channel, publishEveryMs, closers);
      const scene = { node, fleet, onlookers, publisher, drainMs, broken };
      const figures: Round[] = [];
      for (let i = 1; i <= rounds; i += 1) {
        const round = await restart(scene);
        figures.push(round);
        say(`restart ${i} of ${rounds}: ${JSON.stringify(round)}`);
      }
      await publisher.stop();
      await settle(onlookers, publisher.acknowledged, say);
      const verdict = judgeOnlookers(onlookers, publisher, { connections, rounds: figures });
      const sequences = await judgeFleet(scene);
      const second = await judgeSecondSignal(scene);
      say(`a second signal: exit code ${second.exitCode} after ${second.ms} ms`);
      return { broken: [...broken, ...verdict.broken], figures: { ...verdict.figures, fleet: sequences, second } };
    } finally {
      for (const close of closers) close();
      await node.close();
    }
  },
};

async function filled(node: SpawnedNode, connections: number, closers: (() => void)[]): Promise<ReturningFleet> {
  const target = { host: '127.0.0.1', port: node.port, path: '/connection/websocket' };
  const fleet = await ReturningFleet.fill(
    // One channel of their own: what is counted is their ends, not their traffic.
    { connections, target, secret: testTokenSecret, namespace: 'chat:fleet', channels: 1, perSecond: 400 },
    backMsMax * 2,
  );
  closers.push(() => fleet.close());
  return fleet;
}

async function restart(scene: Scene): Promise<Round> {
  const { node, fleet, onlookers, publisher, drainMs, broken } = scene;
  const before = publisher.acknowledged.length;
  await until(() => publisher.acknowledged.length > before + 20, backMsMax);
  await fleet.begin('sdk');
  for (const { lostAtMs } of onlookers) lostAtMs.length = 0;
  const startedMs = performance.now();
  const ready = watchReadiness(node.url);
  const exitCode = await node.stop();
  const tookMs = performance.now() - startedMs;
  ready.stop();
  const { curve } = await fleet.state();
  await node.restart();
  const isBack = await fleet.allBack(backMsMax);
  const { lastBackUs } = await fleet.state();
  const connections = fleet.connections + onlookers.length + 1;
  const plannedPerSecond = Math.max(perSecondMin, (connections * 1_000) / drainMs);
  const firstEndBin = curve.lost.findIndex((count) => count > 0);
  const firstEndMs = Math.min((firstEndBin * quarterUs) / 1_000, ...onlookers.flatMap(endsAfter(startedMs)));
  const peakPerSecond = Math.max(...curve.lost.map((_, i) => sum(curve.lost.slice(i, i + 4))));
  const notReadyMs = Math.round(ready.notReadyAtMs - startedMs);
  if (exitCode !== 0) broken.push(`the node ended with ${exitCode}, not with 0:\n${node.stderr}`);
  if (!isBack) broken.push(`not everybody was back within ${backMsMax} ms`);
  if (peakPerSecond > 2 * plannedPerSecond) {
    broken.push(`${peakPerSecond} connections ended in a second, planned were ${plannedPerSecond}`);
  }
  if (ready.notReadyAtMs === Infinity) broken.push('/ready never said 503 while the node was draining');
  // A bin of the fleet begins up to a quarter of a second before what it counts.
  if (ready.readyAgain) broken.push('/ready said 200 after it had said 503');
  if (notReadyMs > firstEndMs + quarterUs / 1_000) {
    broken.push(`the first connection ended after ${firstEndMs} ms, and /ready said so only after ${notReadyMs} ms`);
  }
  return {
    exitCode,
    drainMs: Math.round(tookMs),
    plannedPerSecond: Math.round(plannedPerSecond),
    peakPerSecond,
    notReadyMs,
    firstEndMs: Math.round(firstEndMs),
    backMs: Math.round(lastBackUs / 1_000),
  };
}

function endsAfter(startedMs: number): (seen: Seen) => number[] {
  return ({ lostAtMs }) => lostAtMs.map((atMs) => atMs - startedMs);
}

interface Readiness {
  notReadyAtMs: number;
  readyAgain: boolean;
  stop(): void;
}

function watchReadiness(url: string): Readiness {
  let isOver = false;
  const seen: Readiness = {
    notReadyAtMs: Infinity,
    readyAgain: false,
    stop: () => {
      isOver = true;
    },
  };
  const ask = async (): Promise<void> => {
    while (!isOver) {
      // Once its socket is closed the node says nothing any more, which is not ready either.
      const status = await fetch(`${url}/ready`, { headers: { connection: 'close' } }).then(
        (response) => response.status,
        () => 0,
      );
      if (status === 503) seen.notReadyAtMs = Math.min(seen.notReadyAtMs, performance.now());
      if (status === 200 && seen.notReadyAtMs !== Infinity) seen.readyAgain = true;
      await pause(askReadyEveryMs);
    }
  };
  void ask();
  return seen;
}

async function judgeFleet({ fleet, broken }: Scene): Promise<Record<string, unknown>> {
  const { recoveries, gaps } = await fleet.check({});
  if (gaps > 0) broken.push(`the fleet was told of ${gaps} gaps`);
  return { recoveries, gaps };
}

async function judgeSecondSignal({ node, broken }: Scene): Promise<{ exitCode: number | string; ms: number }> {
  const ending = node.stop();
  await until(async () => (await fetch(`${node.url}/ready`)).status === 503, 5_000);
  // Signals closer together than half a second are one: npm passes on what the terminal sent already.
  await pause(700);
  const startedMs = performance.now();
  process.kill(node.pid, 'SIGTERM');
  const exitCode = await ending;
  const ms = Math.round(performance.now() - startedMs);
  if (exitCode !== 1) broken.push(`after a second signal the node ended with ${exitCode}, not with 1`);
  if (ms > atOnceMs) broken.push(`after a second signal the node took ${ms} ms to end`);
  return { exitCode, ms };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

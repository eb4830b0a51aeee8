import { openFilesMax, residentBytes } from '@tutti/bench/measure/process-usage';
import { spawnNode, type SpawnedNode } from '@tutti/testkit/spawn-node';
import { testTokenSecret } from '@tutti/testkit/test-settings';
import { readMetrics } from './metrics.ts';
import type { Proof } from './proof.ts';
import { RateWatch } from './rate-watch.ts';
import { quarterUs, type BackoffKind, type Curve } from './returning/messages.ts';
import { ReturningFleet } from './returning/returning-fleet.ts';
import { SteadyPublisher } from './returning/steady-publisher.ts';
import { until } from './waiting.ts';

const namespace = 'durable';
const channels = 100;
const backMsMax = 60_000;
/** A comparison that does not end would teach nothing more. */
const comparedMsMax = 120_000;
/** Files that the node needs besides its connections. */
const filesBesides = 500;
const refusedAs503 = ['rate', 'handshakes', 'loop_lag', 'memory', 'draining', 'connections', 'address'];

/** One storm, as seen from outside. */
interface Storm {
  readonly what: 'cut' | 'kill';
  readonly backoff: BackoffKind;
  readonly backMs: number | undefined;
  /** Accepted in the fullest second, as the clients saw it. */
  readonly peakPerSecond: number;
  /** By the node's own count: above 0, it took more than burst and rate allow over some span. */
  readonly overrun: number;
  readonly refusedSeen: number;
  readonly refusedCounted: Readonly<Record<string, number>>;
  readonly attempts: number;
  readonly curve: Curve;
  readonly ackP99Ms: number;
}

interface Scene {
  readonly node: SpawnedNode;
  readonly fleet: ReturningFleet;
  readonly publisher: SteadyPublisher;
  readonly rate: number;
  readonly burst: number;
  readonly broken: string[];
  readonly say: (line: string) => void;
}

export const storm: Proof = {
  name: 'storm',
  shows:
    'thousands of connections cut at once, and a node killed under them: all back in time, never faster than configured, nothing lost (CON-2, CON-4, DEL-5)',
  options: {
    connections: { default: 10_000, description: 'clients, all subscribed to channels with a durable history' },
    rate: { default: 500, description: 'connectRateMax of the node, and its connectBurstMax' },
    publish: { default: 50, description: 'publications a second, over 100 channels, all the time' },
    compare: { default: 1, description: '0: without the same storms of clients with a fixed back-off of 1 s' },
  },
  run: async ({ connections: wanted = 0, rate = 0, publish = 0, compare = 0 }, say) => {
    const connections = Math.min(wanted, openFilesMax() - filesBesides);
    if (connections < wanted) say(`${connections} connections: more open files a process are not allowed here`);
    const node = await spawnNode({
      settings: { connectRateMax: rate, connectBurstMax: rate, connectionsPerAddressMax: 100_000 },
      namespaces: { [namespace]: { historySize: 10_000, durable: true, allowPublish: 'user' } },
    });
    const closers: (() => void)[] = [];
    const broken: string[] = [];
    try {
      const fleet = await filled(node, connections, rate, closers);
      const publisher = await SteadyPublisher.start(node, { namespace, channels, perSecond: publish });
      closers.push(() => publisher.close());
      const bytesBefore = residentBytes(node.pid);
      say(`${connections} connected; the node has ${mib(bytesBefore)} MiB`);
      const scene = { node, fleet, publisher, rate, burst: rate, broken, say };
      const storms = [await cutAll(scene, 'sdk')];
      const bytesAfter = residentBytes(node.pid);
      storms.push(await killNode(scene, 'sdk'));
      if (compare > 0) storms.push(await cutAll(scene, 'fixed'), await killNode(scene, 'fixed'));
      const sequences = await judgeSequences(scene);
      const figures = {
        connections,
        memoryMiB: { before: mib(bytesBefore), after: mib(bytesAfter) },
        sequences,
        storms,
      };
      return { broken, figures };
    } finally {
      for (const close of closers) close();
      await node.close();
    }
  },
};

async function filled(
  node: SpawnedNode,
  connections: number,
  rate: number,
  closers: (() => void)[],
): Promise<ReturningFleet> {
  const target = { host: '127.0.0.1', port: node.port, path: '/connection/websocket' };
  const secret = testTokenSecret;
  const fleet = await ReturningFleet.fill(
    { connections, target, secret, namespace, channels, perSecond: rate * 0.8 },
    2 * comparedMsMax,
  );
  closers.push(() => fleet.close());
  return fleet;
}

/** All sockets are reset by the clients' side at one moment, as when a network drops. */
async function cutAll(scene: Scene, backoff: BackoffKind): Promise<Storm> {
  const before = await refusals(scene.node);
  await scene.fleet.cut(backoff);
  const seen = await watch(scene, 'cut', backoff);
  return judge(scene, seen, subtract(await refusals(scene.node), before));
}

async function killNode(scene: Scene, backoff: BackoffKind): Promise<Storm> {
  await scene.fleet.begin(backoff);
  const { failedAttempts } = scene.publisher;
  await scene.node.kill();
  await scene.node.restart();
  const seen = await watch(scene, 'kill', backoff);
  // The new process counts from zero.
  return judge(scene, seen, await refusals(scene.node), scene.publisher.failedAttempts - failedAttempts);
}

async function watch(
  { node, fleet, publisher, rate, burst, say }: Scene,
  what: Storm['what'],
  backoff: BackoffKind,
): Promise<Omit<Storm, 'refusedCounted'> & { timedOut: number }> {
  publisher.takeLatencies();
  const rateWatch = new RateWatch(node.url);
  const isBack = await fleet.allBack(backoff === 'sdk' ? backMsMax * 1.5 : comparedMsMax);
  // Who was refused has its answer before anybody is back; what is asked afterwards is complete.
  const { curve, lastBackUs, timedOut, ready } = await fleet.state();
  await rateWatch.stop();
  const overrun = rateWatch.overrun(rate, burst);
  const latencies = publisher.takeLatencies();
  const backMs = isBack ? Math.round(lastBackUs / 1_000) : undefined;
  const [refusedSeen, accepted, failed] = [sum(curve.refused), sum(curve.accepted), sum(curve.failed)];
  const peakPerSecond = peak(curve.accepted);
  const attempts = refusedSeen + accepted + failed;
  const ackP99Ms = Math.round(latencies[Math.floor(latencies.length * 0.99)] ?? 0);
  say(
    `${what}, ${backoff} back-off: ${backMs === undefined ? `only ${ready} back` : `all back in ${backMs} ms`}; ` +
      `${attempts} attempts, ${refusedSeen} refused, ${failed} failed, peak ${peakPerSecond} accepted in a second, p99 of others' publishes ${ackP99Ms} ms`,
  );
  return { what, backoff, backMs, peakPerSecond, overrun, refusedSeen, attempts, curve, ackP99Ms, timedOut };
}

function judge(
  { node, fleet, broken }: Scene,
  { timedOut, ...seen }: Omit<Storm, 'refusedCounted'> & { timedOut: number },
  refusedCounted: Readonly<Record<string, number>>,
  othersRefused = 0,
): Storm {
  const name = `${seen.what}, ${seen.backoff}`;
  if (seen.backMs === undefined || (seen.backoff === 'sdk' && seen.backMs > backMsMax)) {
    broken.push(`${name}: back after ${seen.backMs ?? 'more than the time watched'} ms, not within ${backMsMax}`);
  }
  if (seen.overrun > 0) broken.push(`${name}: ${seen.overrun} more accepted than burst and rate allow`);
  const counted = sum(Object.values(refusedCounted));
  // Those that the publisher met itself, and answers that came after we had given up, are not the fleet's.
  if (counted < seen.refusedSeen || counted > seen.refusedSeen + othersRefused + timedOut) {
    broken.push(`${name}: ${counted} refusals counted, ${seen.refusedSeen} seen`);
  }
  if (!node.isRunning) broken.push(`${name}: the node died:\n${node.stderr}`);
  if (!fleet.isWhole) broken.push(`${name}: a process of the fleet died`);
  return { ...seen, refusedCounted };
}

/** Waits until everybody has seen everything, and looks for what is not whole. */
async function judgeSequences({ publisher, fleet, broken }: Scene): Promise<Record<string, unknown>> {
  await publisher.stop();
  const { tops, acknowledged, failed, duplicates } = publisher;
  await until(async () => (await fleet.check(tops)).behind === 0, 30_000, 500);
  const { sample, ...seen } = await fleet.check(tops);
  const texts = new Map(acknowledged.map(({ channel, offset, number }) => [`${channel} ${offset}`, number]));
  const contradictions = sample.filter(([channel, offset, number]) => {
    return (texts.get(`${channel} ${offset}`) ?? number) !== number;
  }).length;
  const { behind, holes, duplicates: doubled, gaps } = seen;
  const wrong = { behind, holes, duplicates: doubled, gaps, contradictions, unacknowledged: failed.length };
  for (const [what, count] of Object.entries(wrong)) if (count > 0) broken.push(`durable channels: ${count} ${what}`);
  return {
    ...seen,
    contradictions,
    compared: sample.length,
    acknowledged: acknowledged.length,
    failed: failed.length,
    repeatedByTheSdk: duplicates,
  };
}

async function refusals({ url }: SpawnedNode): Promise<Record<string, number>> {
  const counted = (await readMetrics(url)).byLabel('tutti_handshakes_refused_total');
  return Object.fromEntries(refusedAs503.map((reason) => [reason, counted[reason] ?? 0]));
}

function subtract(
  after: Readonly<Record<string, number>>,
  before: Readonly<Record<string, number>>,
): Record<string, number> {
  return Object.fromEntries(Object.entries(after).map(([reason, count]) => [reason, count - (before[reason] ?? 0)]));
}

/** Most in any second. */
function peak(bins: readonly number[]): number {
  const inSecond = Math.round(1_000_000 / quarterUs);
  return Math.max(0, ...bins.map((_, i) => sum(bins.slice(i, i + inSecond))));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function mib(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}

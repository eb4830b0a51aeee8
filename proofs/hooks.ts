import { connectionToken } from '@tutti/bench/load/token';
import { freePort, spawnNode, type SpawnedNode } from '@tutti/testkit/spawn-node';
import { testTokenSecret } from '@tutti/testkit/test-settings';
import { goFirst } from './go-first.ts';
import { Asker, type Outcome } from './hooks/asker.ts';
import { Backend, moods, type Mood } from './hooks/backend.ts';
import { Canary } from './hostile/canary.ts';
import { readMetrics } from './metrics.ts';
import type { Proof } from './proof.ts';
import { pause, until } from './waiting.ts';

const secret = 'a secret of hooks, for this proof alone';
const hookTotalTimeoutMs = 3_000;
const askEveryMs = 50;
const warmUpMs = 1_000;
/** What a call may take besides its time-out on a busy machine, before it counts as never answered. */
const lateMs = 5_000;
/** Longer than a breaker that opened in this proof stays open. */
const backAgainMsMax = 40_000;

/** What every client must be told while the application is in this mood. 111: too many wait for it. */
const expected: Readonly<Record<Mood, readonly Outcome[]>> = {
  well: ['granted'],
  slow: ['granted'],
  hangs: ['122 temporary', '111 temporary'],
  garbage: ['122 temporary'],
  fails: ['122 temporary'],
  down: ['122 temporary'],
};

interface Mark {
  readonly p50: number;
  readonly p99: number;
}

export const hooks: Proof = {
  name: 'hooks',
  shows:
    'an application that is slow, hangs, fails, answers garbage or is down: each client is told the same defined thing, the breaker spares it and finds out when it is back, and nobody else is slowed',
  options: {
    askers: { default: 20, description: 'clients that ask the application something 20 times a second' },
    seconds: { default: 5, description: 'time of each mood' },
    canaryMs: { default: 50, description: "bound of the canary's p99 while others ask, milliseconds" },
    factor: { default: 3, description: 'or so many times what it is while nobody asks, where that is more' },
  },
  run: async ({ askers = 0, seconds = 0, canaryMs = 0, factor = 0 }, say) => {
    const port = await freePort();
    const backend = new Backend(port, secret);
    const node = await startNode(`http://127.0.0.1:${port}`);
    const stop: (() => void)[] = [];
    try {
      await backend.become('well');
      const canary = new Canary(node.port);
      stop.push(() => canary.stop());
      await canary.start();
      const clients = Array.from({ length: askers }, (_, i) => {
        return new Asker(node.port, `a${i}`, connectionToken(`asker-${i}`, testTokenSecret));
      });
      stop.push(() => clients.forEach((client) => client.stop()));
      await Promise.all(clients.map((client) => client.start()));
      const broken: string[] = [];
      const figures: Record<string, unknown> = {};
      const isFirst = goFirst(node);
      await warmUp(clients);
      for (const mood of moods) {
        const seen = await observe({ mood, backend, node, canary, clients, ms: seconds * 1_000 });
        say(`${mood}: ${JSON.stringify(seen)}`);
        judge(mood, seen, { canaryMs, factor }, broken);
        figures[mood] = seen;
      }
      if (backend.forged > 0) broken.push(`${backend.forged} requests whose signature does not hold`);
      if (canary.ended !== undefined) broken.push(`the canary was closed: ${canary.ended}`);
      const metrics = await readMetrics(node.url);
      if (metrics.sum('tutti_bugs_total') > 0) broken.push('the node counted bugs');
      return { broken, figures: { isFirst, ...figures } };
    } finally {
      for (const each of stop) each();
      await node.close();
      await backend.close();
    }
  },
};

function startNode(url: string): Promise<SpawnedNode> {
  return spawnNode({
    settings: {
      connectHookUrl: `${url}/connect`,
      subscribeHookUrl: `${url}/subscribe`,
      publishHookUrl: `${url}/publish`,
      rpcHookUrl: `${url}/rpc`,
      hookSecret: secret,
      hookTotalTimeoutMs,
      // Not the admission's: a machine that is busy otherwise refuses newcomers.
      ...{ connectionsPerAddressMax: 10_000, connectRateMax: 0, loopLagMaxMs: 0, logLevel: 'silent' },
    },
    namespaces: {
      canary: { allowPublish: 'user' },
      hooked: { subscribeHook: true, publishHook: true, allowSubscribe: 'token', allowPublish: 'nobody' },
    },
  });
}

interface Scene {
  readonly mood: Mood;
  readonly backend: Backend;
  readonly node: SpawnedNode;
  readonly canary: Canary;
  readonly clients: readonly Asker[];
  readonly ms: number;
}

interface Seen {
  /** The canary's latencies, milliseconds: while nobody asks, and while the application is in this mood. */
  readonly quiet: Mark;
  readonly asked: Mark;
  readonly outcomes: Readonly<Record<Outcome, number>>;
  readonly unanswered: number;
  readonly slowestMs: number;
  /** What reached the application of it. */
  readonly requests: number;
  readonly breakersOpenMost: number;
  /** From when the application is well again to when every hook is asked again; absent: never. */
  readonly backAgainMs?: number;
}

async function observe({ mood, backend, node, canary, clients, ms }: Scene): Promise<Seen> {
  await pause(warmUpMs);
  canary.takeLatencies();
  await pause(ms);
  const quiet = markOf(canary.takeLatencies());
  await backend.become(mood);
  const requestsBefore = backend.requests;
  for (const client of clients) client.slowestMs = 0;
  const timers = clients.map((client) => setInterval(() => client.ask(), askEveryMs));
  let breakersOpenMost = 0;
  // Seldom: a page of metrics costs the node more than what is measured here.
  const sampling = setInterval(() => {
    void breakersOf(node).then((open) => (breakersOpenMost = Math.max(breakersOpenMost, open)));
  }, 1_000);
  await pause(ms);
  const asked = markOf(canary.takeLatencies());
  for (const timer of [...timers, sampling]) clearInterval(timer);
  await allAnswered(clients);
  // Those of a hook that hangs fail only now.
  breakersOpenMost = Math.max(breakersOpenMost, await breakersOf(node));
  const unanswered = sum(clients.map((client) => client.unanswered));
  const outcomes = added(clients.map((client) => client.takeOutcomes()));
  const slowestMs = Math.round(Math.max(...clients.map((client) => client.slowestMs)));
  const requests = backend.requests - requestsBefore;
  await backend.become('well');
  const back = await backAgain(node, clients);
  await allAnswered(clients);
  for (const client of clients) client.takeOutcomes();
  return { ...{ quiet, asked, outcomes, unanswered, slowestMs, requests, breakersOpenMost }, ...back };
}

/** Programs are slow the first time, and so are connections. */
async function warmUp(clients: readonly Asker[]): Promise<void> {
  for (let i = 0; i < 8; i += 1) {
    for (const client of clients) client.ask();
    await pause(warmUpMs / 4);
  }
  await allAnswered(clients);
  for (const client of clients) client.takeOutcomes();
}

async function allAnswered(clients: readonly Asker[]): Promise<void> {
  await until(() => clients.every((client) => client.unanswered === 0), hookTotalTimeoutMs + lateMs);
}

/** Asks now and then until no breaker is open any more. */
async function backAgain(node: SpawnedNode, clients: readonly Asker[]): Promise<{ backAgainMs?: number }> {
  const since = performance.now();
  const isBack = await until(
    async () => {
      for (const client of clients.slice(0, 4)) client.ask();
      return (await breakersOf(node)) === 0;
    },
    backAgainMsMax,
    250,
  );
  return isBack ? { backAgainMs: Math.round(performance.now() - since) } : {};
}

async function breakersOf(node: SpawnedNode): Promise<number> {
  return (await readMetrics(node.url)).sum('tutti_hook_breakers_open');
}

function judge(mood: Mood, seen: Seen, bound: { canaryMs: number; factor: number }, broken: string[]): void {
  const isBad = !expected[mood].includes('granted');
  const others = Object.keys(seen.outcomes).filter((outcome) => !expected[mood].includes(outcome));
  if (others.length > 0) broken.push(`${mood}: clients were told ${others.join(', ')}`);
  if (Object.keys(seen.outcomes).length === 0) broken.push(`${mood}: nobody was told anything`);
  if (seen.unanswered > 0) broken.push(`${mood}: ${seen.unanswered} were never answered`);
  if (isBad && seen.breakersOpenMost === 0) broken.push(`${mood}: no breaker opened`);
  if (!isBad && seen.breakersOpenMost > 0) broken.push(`${mood}: a breaker opened`);
  if (seen.backAgainMs === undefined) broken.push(`${mood}: a breaker did not close again`);
  const boundMs = Math.max(bound.canaryMs, bound.factor * seen.quiet.p99);
  if (seen.asked.p99 > boundMs) broken.push(`${mood}: the canary's p99 was ${seen.asked.p99} ms, not ${boundMs}`);
}

function markOf(latencies: readonly number[]): Mark {
  const at = (share: number): number => {
    const ms = latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Infinity;
    return Math.round(ms * 10) / 10;
  };
  return { p50: at(0.5), p99: at(0.99) };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

function added(parts: readonly Readonly<Record<Outcome, number>>[]): Record<Outcome, number> {
  const total: Record<Outcome, number> = {};
  for (const part of parts)
    for (const [outcome, count] of Object.entries(part)) total[outcome] = (total[outcome] ?? 0) + count;
  return total;
}

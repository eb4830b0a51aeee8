import { fork, type ChildProcess } from 'node:child_process';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { residentBytes } from '@tutti/bench/measure/process-usage';
import { Tutti } from '@tutti/client';
import { spawnNode, type SpawnedNode } from '@tutti/testkit/spawn-node';
import { goFirst } from './go-first.ts';
import { attacks, notEnded } from './hostile/attacks.ts';
import { Canary } from './hostile/canary.ts';
import type { AttackOrder, AttackReport } from './hostile/hostile-process.ts';
import { readMetrics } from './metrics.ts';
import type { Proof } from './proof.ts';
import { pause } from './waiting.ts';

const program = fileURLToPath(new URL('./hostile/hostile-process.ts', import.meta.url));
const pingMs = 5_000;
const pongMs = 3_000;
const warmUpMs = 2_000;
const publishEveryMs = 20;
const busyBytes = 20_000;
const sampleMs = 500;
/** Of the attackers' process: its peers would be on other machines, and must not take this one's cores. */
const niceness = 19;
const MiB = 2 ** 20;
/** What a peer that does not read may cost: the bound of its queue (BP-1). */
const queueBytesMax = 5 * MiB;
/** Attacks that fill the queue of their connection; the second half of the bound is what waits for a collection. */
const queueFillers = 4;
const besidesBytes = 160 * MiB;

export const hostile: Proof = {
  name: 'hostile',
  shows:
    'peers that flood, dawdle, lie and never read: each is ended by its limit, memory stays bounded, others stay fast (S3, S14, S15, S21, BP-1, BP-5)',
  options: {
    copies: { default: 1, description: 'peers that make each attack at the same time, again and again' },
    seconds: { default: 45, description: 'time of the attacks; those under way then come to their end' },
    quiet: { default: 10, description: 'seconds before, in which the canary is alone' },
    canaryMs: { default: 50, description: "bound of the canary's p99, milliseconds" },
    one: { default: 0, description: 'number of the only attack to make, from 1; 0: all' },
  },
  run: async ({ copies = 0, seconds = 0, quiet = 0, canaryMs = 0, one = 0 }, say) => {
    const node = await spawnNode({
      settings: { pingIntervalMs: pingMs, pongTimeoutMs: pongMs, connectionsPerAddressMax: 10_000 },
      namespaces: {
        canary: { allowPublish: 'user' },
        live: { allowPublish: 'user', presence: true },
        log: { allowPublish: 'user', historySize: 100 },
      },
    });
    const closers: (() => void)[] = [];
    try {
      const isFirst = goFirst(node);
      await publishBusily(node, closers);
      const canary = new Canary(node.port);
      closers.push(() => {
        canary.stop();
      });
      await canary.start();
      await pause(warmUpMs);
      canary.takeLatencies();
      await pause(quiet * 1_000);
      const quietMs = percentiles(canary.takeLatencies());
      say(`quiet: ${JSON.stringify(quietMs)}`);
      const memory = watchMemory(node, closers);
      const only = one === 0 ? [] : [Object.keys(attacks)[one - 1] ?? ''];
      const target = { port: node.port, silenceMs: pingMs + pongMs };
      const report = await attack({ target, copies, ms: seconds * 1_000, only }, closers);
      const attackedMs = percentiles(canary.takeLatencies());
      say(`under attack: ${JSON.stringify(attackedMs)}`);
      for (const [name, ends] of Object.entries(report)) say(`${name}: ${JSON.stringify(ends)}`);
      const broken = judgeEnds(report);
      const canaryFigures = judgeCanary(canary, { quiet: quietMs, attacked: attackedMs, boundMs: canaryMs }, broken);
      const memoryMiB = judgeMemory(memory, copies, broken);
      if (!node.isRunning) throw new Error(`the node died:\n${node.stderr}`);
      const metrics = await readMetrics(node.url);
      const closed = metrics.byLabel('tutti_connections_closed_total');
      if (metrics.sum('tutti_bugs_total') > 0) broken.push('the node counted bugs');
      return { broken, figures: { canary: { ...canaryFigures, isFirst }, memoryMiB, closed, attacks: report } };
    } finally {
      for (const close of closers) close();
      await node.close();
    }
  },
};

/** Feeds the channels of those who never read. */
async function publishBusily(node: SpawnedNode, closers: (() => void)[]): Promise<void> {
  const publisher = new Tutti(node.wsUrl, { token: await node.token({ user: 'publisher' }) });
  publisher.on('error', () => undefined);
  const data = { text: 'x'.repeat(busyBytes) };
  let count = 0;
  const timer = setInterval(() => {
    count += 1;
    publisher.publish(count % 2 === 0 ? 'live:busy' : 'log:busy', data).catch(() => undefined);
  }, publishEveryMs);
  closers.push(() => {
    clearInterval(timer);
    publisher.close();
  });
}

async function attack(order: AttackOrder, closers: (() => void)[]): Promise<AttackReport> {
  const child: ChildProcess = fork(program, { execArgv: [] });
  closers.push(() => {
    child.kill('SIGKILL');
  });
  setPriority(child.pid!, niceness);
  const report = new Promise<AttackReport>((resolve, reject) => {
    child.once('message', (message) => resolve(message as AttackReport));
    child.once('exit', (code) => reject(new Error(`the attackers' process ended with ${String(code)}`)));
  });
  child.send(order);
  return report;
}

function judgeEnds(report: AttackReport): string[] {
  const broken: string[] = [];
  for (const [name, ends] of Object.entries(report)) {
    const { limits } = attacks[name]!;
    for (const [how, count] of Object.entries(ends)) {
      if (how === notEnded) broken.push(`${name}: ${count} were not ended`);
      // A node under attack refuses new connections, attackers' too.
      else if (how !== 'refused' && !limits.includes(how)) {
        broken.push(`${name}: ${count} ended by "${how}", not by ${limits.join(' or ')}`);
      }
    }
    if (!limits.some((limit) => (ends[limit] ?? 0) > 0)) broken.push(`${name}: never reached its limit`);
  }
  return broken;
}

interface Percentiles {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

function percentiles(sorted: readonly number[]): Percentiles {
  const at = (share: number): number => Math.round((sorted[Math.floor((sorted.length - 1) * share)] ?? 0) * 10) / 10;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** The bound; where the machine is so busy that the canary alone is slower already, twice as slow as alone. */
function judgeCanary(
  canary: Canary,
  { quiet, attacked, boundMs }: { quiet: Percentiles; attacked: Percentiles; boundMs: number },
  broken: string[],
): Record<string, unknown> {
  const allowedMs = quiet.p99 < boundMs ? boundMs : 2 * quiet.p99;
  if (canary.ended !== undefined) broken.push(`the canary's connection ended: ${canary.ended}`);
  if (attacked.p99 >= allowedMs) broken.push(`the canary's p99 was ${attacked.p99} ms, not under ${allowedMs}`);
  return { quiet, attacked, allowedP99: allowedMs };
}

interface Memory {
  readonly beforeBytes: number;
  readonly samples: number[];
}

function watchMemory(node: SpawnedNode, closers: (() => void)[]): Memory {
  const samples: number[] = [];
  const timer = setInterval(() => {
    if (node.isRunning) samples.push(residentBytes(node.pid));
  }, sampleMs);
  closers.unshift(() => {
    clearInterval(timer);
  });
  return { beforeBytes: residentBytes(node.pid), samples };
}

function judgeMemory({ beforeBytes, samples }: Memory, copies: number, broken: string[]): Record<string, number> {
  const allowed = beforeBytes + besidesBytes + 2 * queueFillers * copies * queueBytesMax;
  const half = samples.length >> 1;
  const [first, second] = [Math.max(...samples.slice(0, half)), Math.max(...samples.slice(half))];
  const mib = (bytes: number): number => Math.round(bytes / MiB);
  if (Math.max(first, second) > allowed) {
    broken.push(`the node took ${mib(Math.max(first, second))} MiB, not under ${mib(allowed)}`);
  }
  if (second > first * 1.25) broken.push(`memory grew from ${mib(first)} to ${mib(second)} MiB: it is not flat`);
  return { before: mib(beforeBytes), firstHalfMax: mib(first), secondHalfMax: mib(second), allowed: mib(allowed) };
}

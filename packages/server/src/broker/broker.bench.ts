import { mkdtemp, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../runtime/system-clock.ts';
import { SystemRandom } from '../runtime/system-random.ts';
import type { Broker, PublishOptions } from './broker.ts';
import { MemoryBroker } from './memory.ts';
import { SqliteLogBroker } from './sqlite-log.ts';

/**
 * Publications of 1 KB a second, acknowledged and delivered to this node.
 * `node broker.bench.ts [folder]`: the folder says which disk is measured. Prints JSON.
 */

const payloadBytes = 1_024;
const spanMs = Number(process.env.BENCH_MS ?? 2_000);
const channels = 100;

interface Figure {
  readonly broker: string;
  readonly concurrency: number;
  readonly idempotencyKeys: boolean;
  readonly publications: number;
  readonly perSecond: number;
  readonly cpuMicrosecondsEach: number;
}

async function measure(name: string, broker: Broker, concurrency: number, withKeys: boolean): Promise<Figure> {
  let delivered = 0;
  await broker.start({ publication: () => delivered++ });
  for (let i = 0; i < channels; i++) await broker.subscribe(`bench:${i}`);
  const data = new Uint8Array(payloadBytes).fill(120);
  const history = { size: 100, ttlMs: 3_600_000 };
  let published = 0;
  const publisher = async (untilMs: number): Promise<void> => {
    while (performance.now() < untilMs) {
      const number = published++;
      const options: PublishOptions = withKeys ? { history, idempotencyKey: `${number}` } : { history };
      await broker.publish(`bench:${number % channels}`, { data }, options);
    }
  };
  const run = async (ms: number): Promise<void> => {
    const untilMs = performance.now() + ms;
    await Promise.all(Array.from({ length: concurrency }, () => publisher(untilMs)));
  };
  await run(spanMs / 4);
  const before = { delivered, cpu: process.cpuUsage(), atMs: performance.now() };
  await run(spanMs);
  const seconds = (performance.now() - before.atMs) / 1_000;
  const cpu = process.cpuUsage(before.cpu);
  const count = delivered - before.delivered;
  await broker.close();
  return {
    broker: name,
    concurrency,
    idempotencyKeys: withKeys,
    publications: count,
    perSecond: Math.round(count / seconds),
    cpuMicrosecondsEach: Number(((cpu.user + cpu.system) / count).toFixed(1)),
  };
}

const clock = new SystemClock();
const random = new SystemRandom();
const figures: Figure[] = [];
for (const withKeys of [false, true]) {
  figures.push(await measure('memory', new MemoryBroker({ clock, random }), 100, withKeys));
  for (const concurrency of [1, 100, 1_000]) {
    const dataDir = await mkdtemp(join(process.argv[2] ?? tmpdir(), 'tutti-bench-'));
    const broker = new SqliteLogBroker({ dataDir, clock, random });
    figures.push(await measure('sqlite', broker, concurrency, withKeys));
    await rm(dataDir, { recursive: true });
  }
}
const settings = { payloadBytes, channels, spanMs, historySize: 100 };
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
process.stdout.write(`${JSON.stringify({ bench: 'broker', machine, settings, figures }, null, 2)}\n`);

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { EmbeddedBroker, MemoryBroker, SqliteLogBroker, wireName } from '@tutti/server/internal';
import { LossyBroker } from '../lossy-broker.ts';
import { SeededRandom } from '../seeded-random.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { brokerConformance, type BrokerUnderTest } from './broker.ts';

const idempotencyWindowMs = 60_000;
const workerFile = new URL('broker/sqlite-worker.ts', import.meta.resolve('@tutti/server/internal'));

function memory(clock: VirtualClock): MemoryBroker {
  return new MemoryBroker({ clock, random: new SeededRandom(1), idempotencyWindowMs });
}

async function createMemory(): Promise<BrokerUnderTest> {
  const clock = new VirtualClock();
  return { broker: memory(clock), clock, idempotencyWindowMs, dispose: () => {} };
}

async function createLossy(): Promise<BrokerUnderTest> {
  const clock = new VirtualClock();
  return { broker: new LossyBroker(memory(clock)), clock, idempotencyWindowMs, dispose: () => {} };
}

async function createSqlite(): Promise<BrokerUnderTest> {
  const clock = new VirtualClock();
  const dataDir = await mkdtemp(join(tmpdir(), 'tutti-broker-'));
  let worker: Worker | undefined;
  const broker = new SqliteLogBroker({
    dataDir,
    clock,
    random: new SeededRandom(2),
    idempotencyWindowMs,
    launch: (start) => (worker = new Worker(workerFile, { workerData: start })),
  });
  const interrupt = async (): Promise<void> => {
    await worker?.terminate();
  };
  return { broker, clock, idempotencyWindowMs, interrupt, dispose: () => rm(dataDir, { recursive: true }) };
}

async function createEmbedded(): Promise<BrokerUnderTest> {
  const { broker: log, clock, ...rest } = await createSqlite();
  const broker = new EmbeddedBroker({
    memory: memory(clock as VirtualClock),
    log,
    isDurable: (channel) => wireName(channel).startsWith('durable:'),
  });
  return { ...rest, broker, ...(clock === undefined ? {} : { clock }) };
}

brokerConformance('memory', createMemory);
brokerConformance('lossy broker that loses nothing', createLossy);
brokerConformance('sqlite', createSqlite);
brokerConformance('embedded, durable channel', createEmbedded, { channelPrefix: 'durable:' });
brokerConformance('embedded, other channel', async () => {
  const { interrupt: _, ...made } = await createEmbedded();
  return made;
});

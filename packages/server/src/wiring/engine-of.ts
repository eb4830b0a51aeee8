import { EmbeddedBroker } from '../broker/embedded.ts';
import { MemoryBroker } from '../broker/memory.ts';
import { SqliteLogBroker } from '../broker/sqlite-log.ts';
import type { Namespace } from '../config/namespace.ts';
import { isNatsUrl } from '../config/nats-target.ts';
import { isRedisUrl } from '../config/redis-target.ts';
import { Fault } from '../core/fault.ts';
import type { Engine } from '../engine.ts';
import { isDurableChannel } from './canaries.ts';
import type { EngineParts } from './engine-parts.ts';

const natsPackages = '@nats-io/transport-node @nats-io/jetstream';
const redisPackages = 'ioredis';

/** The engine that the settings name. Throws `Fault` for one that is not there. */
export async function engineOf(parts: EngineParts): Promise<Engine> {
  const { engine } = parts.settings;
  if (engine === 'embedded') return embedded(parts);
  // Loaded here and not above: drivers are optional, and a node without them must start.
  if (isRedisUrl(engine)) {
    const { redisEngine } = await loadDriver(() => import('./redis-engine.ts'), redisPackages);
    return redisEngine(parts);
  }
  if (isNatsUrl(engine)) {
    const { natsEngine } = await loadDriver(() => import('./nats-engine.ts'), natsPackages);
    return natsEngine(parts);
  }
  // It may be a URL with a password in it, and is not repeated.
  const message =
    'engine is none that this version has: embedded, nats://…, redis://…, redis+sentinel://… or redis+cluster://…';
  throw new Fault('config', message, { retryable: false });
}

async function loadDriver<T>(load: () => Promise<T>, packages: string): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
    if (!isMissing) throw error;
    const message = `this engine needs packages that are not installed: npm install ${packages}`;
    throw new Fault('config', message, { retryable: false, cause: error });
  }
}

function embedded({ settings, namespaces, clock, random, log }: EngineParts): Engine {
  const { idempotencyWindowMs, dataDir, memoryHistoryBytesMax: historyBytesMax } = settings;
  const memory = new MemoryBroker({ clock, random, idempotencyWindowMs, historyBytesMax, log });
  // Memory delivers by a call in this process. Between the log on disk and here lie a thread and its commits.
  const mayLoseLive = ({ durable }: Namespace): boolean => durable;
  const needsLog = [...settings.namespaces.values()].some((namespace) => namespace.durable);
  if (!needsLog) return { broker: memory, mayLoseLive };
  const durable = new SqliteLogBroker({ dataDir, clock, random, idempotencyWindowMs, log });
  const isDurable = isDurableChannel(namespaces);
  return { broker: new EmbeddedBroker({ memory, log: durable, isDurable }), mayLoseLive };
}

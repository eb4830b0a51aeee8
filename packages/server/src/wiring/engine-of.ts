import { EmbeddedBroker } from '../broker/embedded.ts';
import { MemoryBroker } from '../broker/memory.ts';
import { SqliteLogBroker } from '../broker/sqlite-log.ts';
import type { Namespace } from '../config/namespace.ts';
import { isRedisUrl } from '../config/redis-target.ts';
import { Fault } from '../core/fault.ts';
import type { Engine } from '../engine.ts';
import { isDurableChannel } from './canaries.ts';
import type { EngineParts } from './engine-parts.ts';
import { redisEngine } from './redis-engine.ts';

/** The engine that the settings name. Throws `Fault` for one that is not there. */
export function engineOf(parts: EngineParts): Engine {
  const { engine } = parts.settings;
  if (engine === 'embedded') return embedded(parts);
  if (isRedisUrl(engine)) return redisEngine(parts);
  // It may be a URL with a password in it, and is not repeated.
  const message = 'engine is none that this version has: embedded, redis://…, redis+sentinel://… or redis+cluster://…';
  throw new Fault('config', message, { retryable: false });
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

import { judgeDurability } from '../broker/redis/durability.ts';
import { SharedLink } from '../broker/redis/shared-link.ts';
import { RedisBroker } from '../broker/redis/redis-broker.ts';
import { RedisLink } from '../broker/redis/redis-link.ts';
import { readTlsFiles } from '../broker/tls-files.ts';
import { RedisControlBus } from '../cluster/redis/redis-control-bus.ts';
import { parseRedisUrl } from '../config/redis-target.ts';
import { RedisLastSeen } from '../last-seen/redis/redis-last-seen.ts';
import { RedisRevocationList } from '../revocation/redis/redis-revocation-list.ts';
import { Fault } from '../core/fault.ts';
import type { Engine } from '../engine.ts';
import { isDurableChannel } from './canaries.ts';
import type { EngineParts } from './engine-parts.ts';
import { lastSeenBounds } from './last-seen.ts';

/** Channels and bus in Redis, over the same connections. Throws `Fault` for a URL that is none. */
export function redisEngine({ settings, namespaces, nodeName, clock, random, log }: EngineParts): Engine {
  const target = parseRedisUrl(settings.engine);
  if (typeof target === 'string') throw new Fault('config', `engine ${target}`, { retryable: false });
  const tlsFiles = readTlsFiles(settings);
  if (!target.tls && Object.keys(tlsFiles).length > 0) {
    const message =
      'engineCaFile, engineCertFile and engineKeyFile are for TLS: write rediss in place of redis in engine';
    throw new Fault('config', message, { retryable: false });
  }
  const { enginePrefix, engineReplicas: replicas, idempotencyWindowMs } = settings;
  // Pub/sub does not know of databases: two installations in two of them would hear each other.
  const prefix = target.db === 0 ? enginePrefix : `${enginePrefix}.${target.db}`;
  const isNeeded = [...settings.namespaces.values()].some(({ durable }) => durable);
  const unfit = judgeDurability({ isNeeded, isWeakAllowed: settings.allowWeakEngine, replicas, log });
  const link = new RedisLink({ target: { ...target, tlsFiles }, clock, random, log, unfit });
  const confirm = { replicas, isDue: isDurableChannel(namespaces) };
  const shared = new SharedLink(link, prefix);
  const { revocationsMax } = settings;
  return {
    broker: new RedisBroker({ link, clock, random, log, prefix, idempotencyWindowMs, confirm }),
    bus: new RedisControlBus(nodeName, shared),
    revocations: new RedisRevocationList({ redis: shared, revocationsMax, replicas, origin: random.id() }),
    lastSeen: new RedisLastSeen({ redis: shared, bounds: lastSeenBounds(settings) }),
    // Between the log and here lie a network and a bus that forgets.
    mayLoseLive: () => true,
  };
}

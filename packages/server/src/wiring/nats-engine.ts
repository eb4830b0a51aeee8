import { accessOf, ensureStream, namesOf, NatsBroker, NatsLink, type StreamNeed } from '../broker/nats/index.ts';
import { NatsControlBus } from '../cluster/nats/nats-control-bus.ts';
import { isCanaryChannel } from '../core/canary.ts';
import type { Engine } from '../engine.ts';
import { parseNatsUrls } from '../config/nats-target.ts';
import { NatsLastSeen } from '../last-seen/nats/nats-last-seen.ts';
import { NatsRevocationList } from '../revocation/nats/nats-revocation-list.ts';
import { Fault } from '../core/fault.ts';
import type { EngineParts } from './engine-parts.ts';
import { lastSeenBounds } from './last-seen.ts';

/** No namespace can have this name. */
const canaries = '$canary';
const canaryTtlMs = 60_000;

/** Channels, messages between nodes and revocations in NATS, over one connection. Throws `Fault` for settings that cannot be used. */
export function natsEngine({ settings, namespaces, clock, random, log, nodeName }: EngineParts): Engine {
  const { enginePrefix: prefix, engineReplicas: replicas, allowWeakEngine: allowWeaker } = settings;
  const urls = parseNatsUrls(settings.engine);
  if (typeof urls === 'string') throw new Fault('config', `engine ${urls}`, { retryable: false });
  const { servers, access } = accessOf(urls, settings);
  const link = new NatsLink({ servers, access, name: `tutti ${nodeName}`, clock, random, log });
  const needs: StreamNeed[] = [...settings.namespaces.values()]
    .filter(({ historySize }) => historySize > 0)
    .map(({ name, historySize, historyTtlMs, durable }) => ({
      ...{ namespace: name, size: historySize, ttlMs: historyTtlMs, durable },
    }));
  const { idempotencyWindowMs } = settings;
  const broker = new NatsBroker({
    ...{ link, clock, random, log, prefix, replicas, allowWeaker, idempotencyWindowMs },
    namespaces: [...needs, { namespace: canaries, size: 1, ttlMs: canaryTtlMs, durable: false }],
    namespaceOf: (channel) => (isCanaryChannel(channel) ? canaries : namespaces.of(channel).name),
  });
  const newEpoch = (): string => random.id();
  const make = (wanted: Parameters<typeof ensureStream>[1]): Promise<void> =>
    ensureStream(link, wanted, { replicas, newEpoch });
  const revocations = new NatsRevocationList({
    ...{ nats: link, clock, log, names: namesOf(prefix).revocations, revocationsMax: settings.revocationsMax },
    ensureStream: make,
  });
  const lastSeen = new NatsLastSeen({
    ...{ nats: link, clock, log, names: namesOf(prefix).lastSeen, bounds: lastSeenBounds(settings) },
    ensureStream: make,
  });
  const bus = new NatsControlBus({ link, node: nodeName, prefix });
  return { broker, bus, revocations, lastSeen, mayLoseLive: () => true };
}

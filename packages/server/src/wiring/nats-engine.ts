import { accessOf, NatsBroker, NatsLink, type StreamNeed } from '../broker/nats/index.ts';
import { NatsControlBus } from '../cluster/nats/nats-control-bus.ts';
import { isCanaryChannel } from '../core/canary.ts';
import type { Engine } from '../engine.ts';
import { parseNatsUrls } from '../config/nats-target.ts';
import { Fault } from '../core/fault.ts';
import type { EngineParts } from './engine-parts.ts';

/** No namespace can have this name. */
const canaries = '$canary';
const canaryTtlMs = 60_000;

/** Channels and messages between nodes in NATS, over one connection. Throws `Fault` for settings that cannot be used. */
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
  return { broker, bus: new NatsControlBus({ link, node: nodeName, prefix }), mayLoseLive: () => true };
}

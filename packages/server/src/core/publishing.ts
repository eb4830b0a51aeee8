import type { PublicationDraft, PublishOptions, PublishOutcome } from '../broker/broker.ts';
import type { Namespace } from '../config/namespace.ts';
import type { Services } from './services.ts';

export type PublishExtras = Omit<PublishOptions, 'history'>;

/**
 * Appends to the channel's log as its namespace says, and fans out. For commands and for the
 * application alike; rights and payload have been checked. The broker is called in this same turn,
 * so that publishes take effect in the order in which they came. Rejects with what the broker throws.
 */
export function publishTo(
  services: Services,
  target: { channel: string; namespace: Namespace },
  draft: PublicationDraft,
  extras: PublishExtras,
): Promise<PublishOutcome> {
  const { historySize, historyTtlMs } = target.namespace;
  services.telemetry.count('publications_accepted', 1, target.namespace.name);
  return services.broker.publish(target.channel, draft, {
    ...extras,
    ...(historySize > 0 ? { history: { size: historySize, ttlMs: historyTtlMs } } : {}),
  });
}

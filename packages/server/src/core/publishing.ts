import { Rejection, rejections } from '@tutti/protocol';
import type { PublicationDraft, PublishOptions, PublishOutcome } from '../broker/broker.ts';
import type { Namespace } from '../config/namespace.ts';
import { fixedLimits } from './limits.ts';
import type { Services } from './services.ts';

export type PublishExtras = Omit<PublishOptions, 'history'>;

const utf8 = new TextEncoder();

/** Refuses marks that no codec could carry, or that would cost others too much (S34). Throws `Rejection`. */
export function checkMarks({ key = '', tags = {} }: Pick<PublicationDraft, 'key' | 'tags'>): void {
  const isText = (value: unknown): value is string => typeof value === 'string';
  if (!isText(key) || utf8.encode(key).length > fixedLimits.keyBytesMax) {
    throw new Rejection(rejections.badRequest, `a key is text of at most ${fixedLimits.keyBytesMax} bytes`);
  }
  const named = Object.entries(tags);
  if (named.length > fixedLimits.tagsMax || named.some(([name, value]) => name === '__proto__' || !isText(value))) {
    throw new Rejection(rejections.badRequest, `tags are at most ${fixedLimits.tagsMax} names with text values`);
  }
}

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
  const { observation } = services;
  services.telemetry.count('publications_accepted', 1, target.namespace.name);
  const published = services.broker.publish(target.channel, draft, {
    ...extras,
    ...(historySize > 0 ? { history: { size: historySize, ttlMs: historyTtlMs } } : {}),
  });
  if (observation?.observesPublished(target.namespace.name) !== true) return published;
  return published.then((outcome) => {
    if (!outcome.duplicate) observation.published(target.namespace.name, target.channel, draft, outcome.position);
    return outcome;
  });
}

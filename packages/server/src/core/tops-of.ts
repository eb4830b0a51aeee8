import type { Position } from '@tutti/protocol';
import type { Broker } from '../broker/broker.ts';

/** Histories asked for at the same time, of a broker that knows no other way. */
const readsAtOnce = 128;

/**
 * The tops of channels, by the broker's own way to read many where it has one. Those that could not be read are missing;
 * throws what the broker threw where none could.
 */
export async function topsOf(broker: Broker, channels: readonly string[]): Promise<ReadonlyMap<string, Position>> {
  if (broker.tops !== undefined) return broker.tops(channels);
  const tops = new Map<string, Position>();
  let failure: unknown;
  for (let i = 0; i < channels.length; i += readsAtOnce) {
    const some = channels.slice(i, i + readsAtOnce);
    const pages = await Promise.allSettled(some.map((channel) => broker.history(channel, { limit: 0 })));
    for (const [j, page] of pages.entries()) {
      if (page.status === 'fulfilled') tops.set(some[j] ?? '', page.value.top);
      else failure = page.reason;
    }
  }
  if (tops.size === 0 && channels.length > 0) throw failure;
  return tops;
}

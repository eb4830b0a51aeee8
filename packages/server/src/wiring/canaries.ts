import type { Broker } from '../broker/broker.ts';
import type { Namespaces } from '../config/namespaces.ts';
import type { Settings } from '../config/options.ts';
import { Canary, canaryChannel } from '../core/canary.ts';
import type { Random } from '../core/random.ts';

/** One is kept, and gone soon after the node is: the log does not grow by canaries. */
const history = { size: 1, ttlMs: 60_000 };
// A data folder is one node's, so these names need no node, and restarts leave one row and not many.
const durableChannel = canaryChannel('durable');
const memoryChannel = canaryChannel('memory');

/**
 * A canary for each kind of engine that the namespaces use. In memory, fan-out alone. On disk a commit:
 * a read, or a publication that is kept nowhere, succeeds on a full disk, where publishing does not.
 */
export function canariesOf({ namespaces }: Settings, broker: Broker, random: Random): Canary[] {
  const kinds = new Set([...namespaces.values()].map(({ durable }) => durable));
  const memory = new Canary({ name: 'memory', broker, random });
  const durable = new Canary({ name: 'durable', broker, random, history });
  return [...(kinds.has(false) || kinds.size === 0 ? [memory] : []), ...(kinds.has(true) ? [durable] : [])];
}

/** Where a channel lives; canaries, which are of no namespace, included. Throws `Rejection`. */
export function isDurableChannel(namespaces: Namespaces): (channel: string) => boolean {
  return (channel) => {
    if (channel === durableChannel) return true;
    return channel !== memoryChannel && namespaces.of(channel).durable;
  };
}

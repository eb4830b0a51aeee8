import type { Broker } from '../broker/broker.ts';
import type { Namespaces } from '../config/namespaces.ts';
import type { Settings } from '../config/options.ts';
import { Canary, canaryChannel, isCanaryChannel } from '../core/canary.ts';
import type { Random } from '../core/random.ts';

/** One is kept, and gone soon after the node is: the log does not grow by canaries. */
const history = { size: 1, ttlMs: 60_000 };
// A data folder is one node's, so these names need no node, and restarts leave one row and not many.
const durableChannel = canaryChannel('durable');

/**
 * A canary for each kind of engine that the namespaces use. In memory, fan-out alone. On disk a commit:
 * a read, or a publication that is kept nowhere, succeeds on a full disk, where publishing does not.
 * `sharedAs`: the node's name, where it shares its engine with others; the engine is then one kind, and the
 * canary is kept, as durable ones are if there are any.
 */
export function canariesOf({ namespaces }: Settings, broker: Broker, random: Random, sharedAs?: string): Canary[] {
  if (sharedAs !== undefined) {
    const isDurable = [...namespaces.values()].some(({ durable }) => durable);
    return [new Canary({ name: isDurable ? 'durable' : 'engine', node: sharedAs, broker, random, history })];
  }
  const kinds = new Set([...namespaces.values()].map(({ durable }) => durable));
  const memory = new Canary({ name: 'memory', broker, random });
  const durable = new Canary({ name: 'durable', broker, random, history });
  return [...(kinds.has(false) || kinds.size === 0 ? [memory] : []), ...(kinds.has(true) ? [durable] : [])];
}

/** Where a channel lives; canaries, which are of no namespace, included. Throws `Rejection`. */
export function isDurableChannel(namespaces: Namespaces): (channel: string) => boolean {
  return (channel) => {
    if (isCanaryChannel(channel)) return channel === durableChannel || channel.startsWith(`${durableChannel}:`);
    return namespaces.of(channel).durable;
  };
}

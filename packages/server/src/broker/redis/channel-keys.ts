import { slotOf } from './slots.ts';

/** Where one channel lives in Redis. All keys share a hash tag, so a Cluster keeps them on one server. */
export interface ChannelKeys {
  /** Pub/sub channel, and the beginning of every key. */
  readonly live: string;
  /** Hash: epoch, top, floor, ages. Outlives the log. */
  readonly meta: string;
  /** Stream of publications. */
  readonly log: string;
  readonly slot: number;
}

/**
 * `PREFIX:{.CHANNEL}`. The point makes sure that the tag is never empty; a closing brace inside the
 * name is escaped, so that the tag ends where the name ends: no key of one channel, whatever an
 * idempotency key holds, can be the key of another.
 */
export function channelKeys(prefix: string, channel: string): ChannelKeys {
  const tag = `.${channel.replace(/[%}]/g, (each) => (each === '%' ? '%25' : '%7D'))}`;
  const live = `${prefix}:{${tag}}`;
  return { live, meta: `${live}:meta`, log: `${live}:log`, slot: slotOf(tag) };
}

export function idempotencyKeyOf({ live }: ChannelKeys, key: string): string {
  return `${live}:key:${key}`;
}

import { TokenBucket, type Rate } from './token-bucket.ts';

/** Users or addresses that are remembered. */
const keysMaxDefault = 10_000;

/**
 * A bucket for each user, or address, or whatever strangers can make many of. Bounded: the one longest
 * unused is forgotten, and is full again when it returns. A forgotten bucket of somebody quiet was full anyway.
 */
export class KeyedBuckets {
  readonly #rate: Rate;
  readonly #keysMax: number;
  /** The longest unused first. */
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(rate: Rate, keysMax: number = keysMaxDefault) {
    this.#rate = rate;
    this.#keysMax = keysMax;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** As `TokenBucket.take`. */
  take(key: string, nowMs: number): number {
    const bucket = this.#buckets.get(key) ?? new TokenBucket(this.#rate, nowMs);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#keysMax) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    return bucket.take(this.#rate, nowMs);
  }

  /** As `TokenBucket.wait`: asks, and remembers nobody new. */
  wait(key: string, nowMs: number): number {
    return this.#buckets.get(key)?.wait(this.#rate, nowMs) ?? 0;
  }
}

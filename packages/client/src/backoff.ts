import type { Random } from './platform.ts';

export interface BackoffOptions {
  /** Ceiling of the first delay, milliseconds. */
  minMs: number;
  /** Ceiling of every delay, milliseconds. */
  maxMs: number;
}

/**
 * Exponential back-off with full jitter (CON-4): the nth delay is uniform between a floor and
 * min(maxMs, minMs * 2^n). Full, because ten thousand clients cut at once must not return in step;
 * a floor of a tenth of `minMs`, because chance may say zero, and a client must not spin.
 */
export class Backoff {
  readonly #options: BackoffOptions;
  readonly #random: Random;
  #attempt = 0;

  constructor(options: BackoffOptions, random: Random) {
    this.#options = options;
    this.#random = random;
  }

  /** Milliseconds to wait before the next attempt. */
  next(): number {
    const { minMs, maxMs } = this.#options;
    const ceiling = Math.min(maxMs, minMs * 2 ** Math.min(this.#attempt++, 30));
    return Math.round(Math.max(minMs / 10, this.#random.next() * ceiling));
  }

  reset(): void {
    this.#attempt = 0;
  }
}

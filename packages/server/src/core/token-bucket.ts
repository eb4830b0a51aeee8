/** So many a second in the long run, and `burst` at once after a quiet time. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Sums of small parts come out a little short: who waited as long as told must not be refused for that. */
const slack = 1e-9;

/** How much of a rate is left to somebody. Two numbers: there may be very many. */
export class TokenBucket {
  #tokens: number;
  #countedMs: number;

  /** Full. `nowMs`: as `Clock.monotonic` tells it. */
  constructor({ burst }: Rate, nowMs: number) {
    this.#tokens = burst;
    this.#countedMs = nowMs;
  }

  /** Takes one; 0 where there was one, else the milliseconds until there is. Who is refused pays nothing. */
  take(rate: Rate, nowMs: number): number {
    const waitMs = this.wait(rate, nowMs);
    if (waitMs === 0) this.#tokens -= 1;
    return waitMs;
  }

  /** The same without taking. */
  wait(rate: Rate, nowMs: number): number {
    this.#refill(rate, nowMs);
    const missing = 1 - this.#tokens;
    return missing <= slack ? 0 : Math.ceil(((missing - slack) * 1_000) / rate.perSecond);
  }

  #refill({ perSecond, burst }: Rate, nowMs: number): void {
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#countedMs) * perSecond) / 1_000);
    this.#countedMs = nowMs;
  }
}

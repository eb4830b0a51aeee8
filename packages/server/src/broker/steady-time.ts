import type { Clock } from '../core/clock.ts';

/** Wall clocks are slewed, and read in two steps: less than this is no jump. */
const jumpMsMin = 1_000;

/**
 * Milliseconds since 1970 that only ever grow by the time that passes: the wall clock when it was
 * made, and the monotonic clock since. What is to be forgotten after a day is so forgotten after a
 * day, whoever sets the clock meanwhile; and being wall time, it can be compared after a restart.
 */
export class SteadyTime {
  readonly #clock: Clock;
  readonly #startMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMs = clock.now() - clock.monotonic();
  }

  now(): number {
    return Math.floor(this.#startMs + this.#clock.monotonic());
  }

  /** What the wall clock says where it has jumped away from `atMs`; undefined where it has not. */
  jumped(atMs: number): number | undefined {
    const wallMs = Math.floor(this.#clock.now());
    return Math.abs(wallMs - atMs) < jumpMsMin ? undefined : wallMs;
  }
}

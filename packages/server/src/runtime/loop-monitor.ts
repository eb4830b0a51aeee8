import type { Clock, Timer } from '../core/clock.ts';

const sampleMs = 50;
/** Weight of the newest sample. One pause of the garbage collector is no overload; two late turns in a row are. */
const weight = 0.5;

/**
 * How late the event loop is: what every message waits before anybody looks at it. Timers of its own,
 * because the histogram of `perf_hooks` tells what was, and admission must know what is.
 */
export class LoopMonitor {
  readonly #clock: Clock;
  #timer: Timer | undefined;
  #dueMs = Infinity;
  #smoothedMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(): void {
    this.#dueMs = this.#clock.monotonic() + sampleMs;
    this.#timer = this.#clock.after(sampleMs, () => {
      this.#smoothedMs = this.lagMs;
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#dueMs = Infinity;
    this.#smoothedMs = 0;
  }

  /** Milliseconds, smoothed. A sample that is due and did not come yet counts with what it is late already. */
  get lagMs(): number {
    const lateMs = this.#clock.monotonic() - this.#dueMs;
    return lateMs < 0 ? this.#smoothedMs : this.#smoothedMs * (1 - weight) + lateMs * weight;
  }
}

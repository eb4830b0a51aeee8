import type { Clock } from './clock.ts';
import type { Random } from './random.ts';

/** Milliseconds before each further look, at most: three seconds together. */
const delaysMs = [250, 750, 2_000];

/**
 * Before a log is believed to have lost what it gave out. A server that was cut off from the others, or a copy that
 * lags, knows less than the log for a while; to believe it at once makes every subscriber begin again for nothing. What is
 * really lost stays lost, and is told these seconds later (DEL-7).
 */
export class LookAgain {
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** False: it was looked at often enough. `looks`: how often it was looked at again before. */
  mayLookAgain(looks: number): boolean {
    return looks < delaysMs.length;
  }

  /** Jittered, so that nodes do not ask in step. */
  pause(looks: number): Promise<void> {
    const ms = (delaysMs[looks] ?? 0) * (0.5 + this.#random.next() / 2);
    return new Promise((resolve) => {
      this.#clock.after(ms, resolve);
    });
  }
}

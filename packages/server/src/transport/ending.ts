import type { Clock } from '../core/clock.ts';

/** Connections that are ending, each terminated unless it is gone in time. */
export class Ending<Link extends { terminate(): void }> {
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  /** When each is terminated, soonest first: all get the same time. */
  readonly #due = new Map<Link, number>();
  #isTimerSet = false;

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  add(connection: Link): void {
    if (this.#due.has(connection)) return;
    this.#due.set(connection, this.#clock.monotonic() + this.#timeoutMs);
    this.#setTimer(this.#timeoutMs);
  }

  delete(connection: Link): void {
    this.#due.delete(connection);
  }

  /** One timer for all of them: a drain of 10,000 connections sets one, not 10,000. */
  #setTimer(ms: number): void {
    if (this.#isTimerSet) return;
    this.#isTimerSet = true;
    this.#clock.after(ms, () => {
      this.#isTimerSet = false;
      const nowMs = this.#clock.monotonic();
      for (const [connection, dueMs] of this.#due) {
        // Timers may come a fraction of a millisecond early; the next one then finds this connection.
        if (dueMs > nowMs) {
          this.#setTimer(Math.max(1, dueMs - nowMs));
          return;
        }
        this.#due.delete(connection);
        connection.terminate();
      }
    });
  }
}

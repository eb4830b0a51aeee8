import type { Clock } from './clock.ts';

/**
 * How long what is read now may have lain unread because this node was busy.
 *
 * The loop looks for input once a turn. What it finds without having waited arrived at some time since
 * it looked before, and work took that time: a round trip that ends so tells less of the peer than it
 * seems. Where the loop waited, the input is fresh.
 */
export class Turns {
  readonly #clock: Clock;
  #isOpen = false;
  #beganAtMs: number;
  #idleAtMs: number;
  #workBeforeMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#beganAtMs = clock.monotonic();
    this.#idleAtMs = clock.idle();
  }

  /** Something from outside is being acted on. Cheap after the first time in a turn. */
  begin(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#clock.soon(() => {
      this.#isOpen = false;
    });
    const nowMs = this.#clock.monotonic();
    const idleMs = this.#clock.idle();
    this.#workBeforeMs = nowMs - this.#beganAtMs - (idleMs - this.#idleAtMs);
    this.#beganAtMs = nowMs;
    this.#idleAtMs = idleMs;
  }

  /** Milliseconds, at most, that it waited to be read. Asked during the turn in which it is. */
  unreadMs(nowMs: number): number {
    return Math.max(0, nowMs - this.#beganAtMs + this.#workBeforeMs);
  }
}

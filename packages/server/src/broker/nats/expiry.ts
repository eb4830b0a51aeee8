import type { Clock, Timer } from '../../core/clock.ts';

const intervalMs = 1_000;
const stepsMax = 500;

/**
 * The channels this node appended to, until what they keep is past its age. Reads never see what expired; this gives
 * its storage back. Where the node dies first, the stream's own age does it, later.
 */
export class Expiry {
  readonly #clock: Clock;
  readonly #channelsMax: number;
  readonly #expired: (channel: string) => void;
  readonly #dueMs = new Map<string, number>();
  #timer: Timer | undefined;

  constructor(clock: Clock, channelsMax: number, expired: (channel: string) => void) {
    this.#clock = clock;
    this.#channelsMax = channelsMax;
    this.#expired = expired;
  }

  appended(channel: string, ttlMs: number): void {
    this.#dueMs.delete(channel);
    const [oldest] = this.#dueMs.keys();
    if (oldest !== undefined && this.#dueMs.size >= this.#channelsMax) this.#dueMs.delete(oldest);
    this.#dueMs.set(channel, this.#clock.monotonic() + ttlMs);
    this.#arm();
  }

  close(): void {
    this.#timer?.cancel();
    this.#dueMs.clear();
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#dueMs.size === 0) return;
    this.#timer = this.#clock.after(intervalMs, () => {
      this.#timer = undefined;
      this.#sweep();
      this.#arm();
    });
  }

  /** Some of them, others the next time: whoever is not due yet goes to the end. */
  #sweep(): void {
    const nowMs = this.#clock.monotonic();
    let steps = Math.min(stepsMax, this.#dueMs.size);
    for (const [channel, dueMs] of this.#dueMs) {
      if (steps-- <= 0) return;
      this.#dueMs.delete(channel);
      if (dueMs <= nowMs) this.#expired(channel);
      else this.#dueMs.set(channel, dueMs);
    }
  }
}

import type { Clock } from './clock.ts';

const answerMs = 1_000;
/** An answer is good for so long: whoever asks more often costs nothing (S28). */
const keepMs = 1_000;

export interface ReadyReport {
  readonly ready: boolean;
  readonly draining: boolean;
}

/** Whether the node should be sent new connections: it has started, its broker answers in time, it is not stopping. */
export class Readiness {
  readonly #clock: Clock;
  readonly #probe: () => Promise<unknown>;
  #isStarted = false;
  #isDraining = false;
  #answers = false;
  #askedMs = -Infinity;
  #asking: Promise<void> | undefined;

  /** `probe` asks the broker something small. It may reject; it is not called again before it settled, or was given up. */
  constructor(clock: Clock, probe: () => Promise<unknown>) {
    this.#clock = clock;
    this.#probe = probe;
  }

  started(): void {
    this.#isStarted = true;
  }

  /** From now on not ready. */
  drain(): void {
    this.#isDraining = true;
  }

  /** As last known, at no cost. */
  get isReady(): boolean {
    return this.#isStarted && !this.#isDraining && this.#answers;
  }

  /** Within a second. Never rejects. */
  async check(): Promise<ReadyReport> {
    if (this.#isStarted && !this.#isDraining) await this.#ask();
    return { ready: this.isReady, draining: this.#isDraining };
  }

  async #ask(): Promise<void> {
    if (this.#clock.monotonic() - this.#askedMs < keepMs) return this.#asking;
    this.#askedMs = this.#clock.monotonic();
    this.#asking = this.#probeInTime().then((answers) => {
      this.#answers = answers;
      this.#asking = undefined;
    });
    return this.#asking;
  }

  #probeInTime(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(answerMs, () => {
        resolve(false);
      });
      const settle = (answers: boolean): void => {
        timer.cancel();
        resolve(answers);
      };
      this.#probe().then(
        () => settle(true),
        () => settle(false),
      );
    });
  }
}

import type { Clock, Timer } from './platform.ts';

/** Notices silence: `onSilence` is called once no `beat` came for the given time (CON-1, the client's half). */
export class Heartbeat {
  readonly #clock: Clock;
  readonly #onSilence: () => void;
  #timer: Timer | undefined;
  #lastAt = 0;

  constructor(clock: Clock, onSilence: () => void) {
    this.#clock = clock;
    this.#onSilence = onSilence;
  }

  start(silenceMs: number): void {
    this.stop();
    this.beat();
    this.#watch(silenceMs, silenceMs);
  }

  /** Called for each frame, so it sets no timer: the running one looks at the time when it fires. */
  beat(): void {
    this.#lastAt = this.#clock.monotonic();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #watch(waitMs: number, silenceMs: number): void {
    this.#timer = this.#clock.after(waitMs, () => {
      const leftMs = this.#lastAt + silenceMs - this.#clock.monotonic();
      if (leftMs <= 0) this.#onSilence();
      else this.#watch(leftMs, silenceMs);
    });
  }
}

import type { Log } from '../telemetry/telemetry.ts';
import type { ClosedReason } from '../transport/transport.ts';
import type { Clock } from './clock.ts';

/** Cuts that are compared, and how many of them must have come after the same silence. */
const cutsKept = 12;
const cutsAlike = 9;
/** How much they may differ: a proxy looks at its time-outs now and then only. */
const likeness = 0.1;
/** Shorter silences say nothing: much is that quiet, and ends. */
const idleMsMin = 1_500;
const withoutAWord = 1006;
const warnEveryMs = 10 * 60_000;

/**
 * Notices that connections are cut after the same silence again and again, as a proxy does whose idle
 * time-out is shorter than the ping interval, and says what to do. One for the node.
 */
export class IdleCuts {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #pingIntervalMs: number;
  /** Milliseconds of silence before the last cuts. */
  readonly #cuts: number[] = [];
  #warnedAtMs = -Infinity;

  constructor(clock: Clock, log: Log, pingIntervalMs: number) {
    this.#clock = clock;
    this.#log = log;
    this.#pingIntervalMs = pingIntervalMs;
  }

  /** A connection has ended; `busyAtMs`: when bytes last went either way. */
  closed({ byPeer, code }: ClosedReason, busyAtMs: number): void {
    if (byPeer && code === withoutAWord) this.cut(this.#clock.monotonic() - busyAtMs);
  }

  /** A connection was cut without a word, `idleMs` after the last bytes in either direction. */
  cut(idleMs: number): void {
    if (idleMs < idleMsMin || idleMs > this.#pingIntervalMs) return;
    this.#cuts.push(idleMs);
    if (this.#cuts.length > cutsKept) this.#cuts.shift();
    const alike = this.#cuts.filter((other) => Math.abs(other - idleMs) <= idleMs * likeness).length;
    const nowMs = this.#clock.monotonic();
    if (alike < cutsAlike || nowMs - this.#warnedAtMs < warnEveryMs) return;
    this.#warnedAtMs = nowMs;
    const seconds = Math.round(idleMs / 100) / 10;
    this.#log.warn(
      { idleSeconds: seconds, pingIntervalSeconds: this.#pingIntervalMs / 1_000 },
      `connections are cut after about ${seconds} s of silence: a proxy in front seems to have an idle time-out shorter than pingInterval. Set pingInterval (and pongTimeout) below it, or raise the time-out of the proxy`,
    );
  }
}

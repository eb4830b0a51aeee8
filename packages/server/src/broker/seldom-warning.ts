import type { Clock } from '../core/clock.ts';
import type { Log } from '../telemetry/telemetry.ts';

const intervalMs = 60_000;

/** A warning that may be due a thousand times a second: said at once, then at most once a minute with how often it was due. */
export class SeldomWarning {
  readonly #clock: Clock;
  readonly #log: Log | undefined;
  #times = 0;
  #nextAtMs = -Infinity;

  constructor(clock: Clock, log: Log | undefined) {
    this.#clock = clock;
    this.#log = log;
  }

  due(fields: Record<string, unknown>, message: string): void {
    this.#times++;
    const atMs = this.#clock.monotonic();
    if (atMs < this.#nextAtMs) return;
    this.#nextAtMs = atMs + intervalMs;
    this.#log?.warn({ ...fields, times: this.#times }, message);
    this.#times = 0;
  }
}

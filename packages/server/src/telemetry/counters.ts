import { nullLog } from './null-telemetry.ts';
import type { CounterName, Log, Telemetry } from './telemetry.ts';

/** Totals since the process started, in plain numbers: adding to one costs no more than a field. */
export class Counters implements Telemetry {
  readonly log: Log;
  readonly #totals: Record<CounterName, number> = {
    connections_opened: 0,
    connections_closed: 0,
    commands_received: 0,
    commands_rejected: 0,
    bytes_received: 0,
    bytes_sent: 0,
    publications_accepted: 0,
    publications_delivered: 0,
    recoveries: 0,
    recoveries_failed: 0,
    gaps_repaired: 0,
    slow_disconnects: 0,
    bugs: 0,
  };

  constructor(log: Log = nullLog) {
    this.log = log;
  }

  count(name: CounterName, by = 1): void {
    this.#totals[name] += by;
  }

  /** A copy: it does not change any more. */
  snapshot(): Readonly<Record<CounterName, number>> {
    return { ...this.#totals };
  }
}

import type { Telemetry } from '../telemetry/telemetry.ts';

/** A session, as far as its lag goes. */
export interface Lagging {
  /** Bytes that wait for the peer: in the queue and on their way. */
  readonly lag: { readonly bytes: number };
  readonly connection: { readonly inFlight: number };
}

/** Observed at once, so that asking for the metrics of 100,000 connections does not hold up the loop. */
const samplesMax = 1_000;

/** Observes queues in turn: each time other connections, until all had theirs. */
export class LagSampler {
  readonly #sessions: ReadonlyMap<string, Lagging>;
  readonly #telemetry: Telemetry;
  /** Goes on where it was; a map's iterator bears what happens to the map meanwhile. */
  #cursor: Iterator<Lagging> | undefined;

  constructor(sessions: ReadonlyMap<string, Lagging>, telemetry: Telemetry) {
    this.#sessions = sessions;
    this.#telemetry = telemetry;
  }

  sample(): void {
    this.#cursor ??= this.#sessions.values();
    for (let i = 0; i < samplesMax; i += 1) {
      const next = this.#cursor.next();
      if (next.done === true) {
        this.#cursor = undefined;
        return;
      }
      const { lag, connection } = next.value;
      const { inFlight } = connection;
      this.#telemetry.observe('in_flight_bytes', inFlight);
      this.#telemetry.observe('queue_bytes', lag.bytes - inFlight);
    }
  }
}

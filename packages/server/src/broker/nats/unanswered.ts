import { Fault } from '../../core/fault.ts';
import type { LogReader, Place } from './log-reader.ts';
import type { LogRecord } from './record.ts';

/** What became of a record whose append was not answered. */
export type Fate = { readonly stored: LogRecord } | 'absent' | 'unknown';

/**
 * An append that was sent, and whose answer has not come: the record may be in the log, may come there yet, or never.
 *
 * It can only ever stand right behind the record that it was sent behind (expected last subject sequence). So as long as
 * that one is the last, sending it again there stores it once at most; and once something follows, what follows
 * decides: it is this record, by its id, or this record is refused for ever (docs/decisions/0012).
 *
 * Example: record `r` holds offset 8 and was sent behind sequence 100. Sequence 101 holds offset 8 under another id:
 * `r` is not in the log. The oldest left behind 100 holds offset 12: what held 8 was removed by retention
 * meanwhile, and nobody can tell any more whose it was.
 */
export class Unanswered {
  readonly #id: string;
  readonly #previous: number;
  /** The sequence it was sent behind. */
  readonly behind: number;

  constructor(id: string, previous: number, behind: number) {
    this.#id = id;
    this.#previous = previous;
    this.behind = behind;
  }

  /** By what the leader has behind it. Throws a retryable `Fault` where the log cannot tell now. */
  async fate(reader: LogReader, place: Place): Promise<Fate> {
    const next = await reader.next(place, this.behind);
    // The end was read a moment ago, and was another: whoever answers now, or then, does not know all.
    if (next === undefined) throw new Fault('broker', 'the log is behind what it was', { retryable: true });
    if (next.record.id === this.#id) return { stored: next.record };
    return next.record.previous <= this.#previous ? 'absent' : 'unknown';
  }
}

/** Tried no more: waiting does not bring back what would tell. */
export class UnknownOutcome extends Fault {
  constructor() {
    super('broker', 'NATS did not answer, and what it stored then is trimmed: the outcome of the publish is unknown', {
      retryable: true,
    });
  }
}

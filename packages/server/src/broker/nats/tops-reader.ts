import { createInbox, type Msg } from '@nats-io/transport-node';
import type { Position } from '@tutti/protocol';
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import type { Elections } from './elections.ts';
import type { LogReader, Place } from './log-reader.ts';
import type { NatsLink } from './nats-link.ts';
import { decodeRecord, topOf } from './record.ts';

export interface TopsReaderOptions {
  readonly link: NatsLink;
  readonly elections: Elections;
  readonly reader: LogReader;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/** NATS refuses more than 1,024 subjects that have messages. */
const subjectsMax = 500;
/** Of last records, which come with their payloads. */
const answerBytesMax = 4 * 1024 * 1024;
const triesMax = 10;
const retryDelayMs = 50;

/** What a copy said: records by subject, how many it left out, and how far it was. */
interface Answer {
  readonly records: readonly Msg[];
  readonly left: number;
  readonly upTo: number;
}

/**
 * Reads the tops of many channels of one stream: their last records come in one answer (direct get, `multi_last`).
 *
 * Any copy may answer, and one may lag. So the leader is asked first for the newest record of the whole stream, a single
 * one, and its subject is asked for with the others: a copy that is not as far is asked again.
 */
export class TopsReader {
  readonly #options: TopsReaderOptions;

  constructor(options: TopsReaderOptions) {
    this.#options = options;
  }

  /**
   * `places`: of one stream, by channel; `all`: the subjects of all its channels. What cannot be read is missing. Throws a
   * retryable `Fault` where the leader cannot be asked.
   */
  async read(places: ReadonlyMap<string, Place>, all: string): Promise<Map<string, Position>> {
    const tops = new Map<string, Position>();
    const [first] = places.values();
    if (first === undefined) return tops;
    const { stream } = first;
    const newest = await this.#options.reader.newest(stream, all);
    const empty = (name: string): void => void tops.set(name, { offset: 0, epoch: places.get(name)?.epoch ?? '' });
    if (newest === undefined) {
      for (const name of places.keys()) empty(name);
      return tops;
    }
    const names = [...places.keys()];
    for (let i = 0; i < names.length; i += subjectsMax) {
      const bySubject = new Map(names.slice(i, i + subjectsMax).map((name) => [places.get(name)?.subject ?? '', name]));
      const found = await this.#lasts(stream, [...bySubject.keys()], newest);
      if (found === undefined) continue;
      for (const [subject, name] of bySubject) {
        const top = found.get(subject);
        if (top === undefined) empty(name);
        else if (top !== 'strange') tops.set(name, top);
      }
    }
    return tops;
  }

  /** Undefined: no copy was as far as the leader in time, or none answered. */
  async #lasts(
    stream: string,
    subjects: readonly string[],
    newest: { subject: string; sequence: number },
  ): Promise<Map<string, Position | 'strange'> | undefined> {
    const found = new Map<string, Position | 'strange'>();
    for (let tries = 0; tries < triesMax;) {
      const wanted = [...new Set([...subjects, newest.subject])].filter((subject) => !found.has(subject));
      const answer = await this.#ask(stream, wanted).catch(() => undefined);
      if (answer === undefined || answer.upTo < newest.sequence) {
        tries += 1;
        await this.#pause();
        continue;
      }
      for (const { data, headers } of answer.records) found.set(headers?.last('Nats-Subject') ?? '', read(data));
      if (answer.left === 0) return found;
      if (answer.records.length === 0) return undefined;
    }
    return undefined;
  }

  async #ask(stream: string, subjects: readonly string[]): Promise<Answer> {
    const { link, elections, clock, timeoutMs } = this.#options;
    const { connection } = link;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const records: Msg[] = [];
    const inbox = connection.subscribe(createInbox(), {
      callback: (error, message) => {
        const code = message.headers?.code ?? 0;
        if (error !== null) reject(error);
        else if (code === 0) records.push(message);
        else if (code === 204)
          resolve({ records, left: number(message, 'Nats-Num-Pending'), upTo: number(message, 'Nats-UpTo-Sequence') });
        // Nobody has anything of it yet: a copy that lags, as the newest was asked for, too.
        else if (code === 404) resolve({ records: [], left: 0, upTo: 0 });
        else
          reject(
            new Fault('broker', `the log cannot be read: ${message.headers?.description ?? code}`, { retryable: true }),
          );
      },
    });
    const timer = clock.after(timeoutMs, () => reject(new Fault('broker', 'NATS did not answer', { retryable: true })));
    try {
      const asked = { multi_last: subjects, batch: subjects.length, max_bytes: answerBytesMax };
      connection.publish(`$JS.API.DIRECT.GET.${stream}`, JSON.stringify(asked), { reply: inbox.getSubject() });
      return await elections.guard(stream, link.guard(promise));
    } finally {
      timer.cancel();
      inbox.unsubscribe();
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.after(retryDelayMs, resolve);
    });
  }
}

function number({ headers }: Msg, name: string): number {
  return Number(headers?.last(name) ?? 0);
}

/** `strange`: something that Tutti did not write. */
function read(bytes: Uint8Array): Position | 'strange' {
  try {
    const record = decodeRecord(bytes);
    return { offset: topOf(record), epoch: record.epoch };
  } catch {
    return 'strange';
  }
}

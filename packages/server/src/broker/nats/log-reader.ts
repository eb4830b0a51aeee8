import { jetstreamManager } from '@nats-io/jetstream';
import type { Msg } from '@nats-io/transport-node';
import { publicationBytes, type Publication } from '@tutti/protocol';
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import type { HistoryPage, HistoryQuery } from '../broker.ts';
import { LeaderChanged, type Elections } from './elections.ts';
import type { NatsLink } from './nats-link.ts';
import { decodeRecord, publicationsOf, topOf, type LogRecord } from './record.ts';

/** A record and where it lies in its stream. */
export interface StoredRecord {
  readonly sequence: number;
  readonly record: LogRecord;
}

/** Where a channel's records are. */
export interface Place {
  readonly stream: string;
  readonly subject: string;
  /** Copies of the stream: with one, whoever answers knows all. */
  readonly replicas: number;
  /** Epoch of the channel as long as nothing was appended. */
  readonly epoch: string;
}

export interface LogReaderOptions {
  readonly link: NatsLink;
  readonly elections: Elections;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

/** Records, and bytes, asked for at once. */
const batchMax = 256;
const batchBytesMax = 4 * 1024 * 1024;
/** Records a page may read in vain before those it wants. */
const skippedMax = 256;
/** Publications a page backwards reads at once. */
const backwardChunk = 64;
const triesMax = 20;
const retryDelayMs = 50;

/**
 * Reads channels. The top comes from the stream's leader, because a copy may lag behind what was acknowledged; pages come
 * from any copy, and as offsets have no holes, one that lags shows and is asked again.
 */
export class LogReader {
  readonly #options: LogReaderOptions;

  constructor(options: LogReaderOptions) {
    this.#options = options;
  }

  /** The newest record, or undefined where nothing was appended in living memory. */
  async last({ stream, subject, replicas }: Place): Promise<StoredRecord | undefined> {
    if (replicas > 1) return this.#ask(stream, { last_by_subj: subject });
    return read(await this.#request(stream, `$JS.API.DIRECT.GET.${stream}.${subject}`, ''));
  }

  /** The record at a sequence; undefined where it is gone. */
  at({ stream }: Place, sequence: number): Promise<StoredRecord | undefined> {
    return this.#ask(stream, { seq: sequence });
  }

  /** The first record behind a sequence that is still there, as the leader has it; undefined where there is none. */
  next({ stream, subject }: Place, behind: number): Promise<StoredRecord | undefined> {
    return this.#ask(stream, { seq: behind + 1, next_by_subj: subject });
  }

  /** Where the newest record of some subjects lies, as the leader has it; undefined where there is none. */
  async newest(stream: string, subjects: string): Promise<{ subject: string; sequence: number } | undefined> {
    const message = await this.#message(stream, { last_by_subj: subjects });
    return message === undefined ? undefined : { subject: message.subject, sequence: message.seq };
  }

  /** The record that holds an offset; undefined where it is gone or never was. */
  async holding(place: Place, offset: number): Promise<LogRecord | undefined> {
    const last = await this.last(place);
    if (last === undefined || topOf(last.record) < offset) return undefined;
    for await (const { record } of this.#records(place, last, offset)) {
      if (topOf(record) < offset) continue;
      if (record.previous < offset) return record;
      if (await this.#isOldest(place, record)) return undefined;
      throw fault('a copy of the log lags');
    }
    return undefined;
  }

  async page(place: Place, query: HistoryQuery): Promise<HistoryPage> {
    for (let tries = 1; ; tries++) {
      const last = await this.last(place);
      if (last === undefined) return { publications: [], top: { offset: 0, epoch: place.epoch } };
      const { record } = last;
      const top = { offset: topOf(record), epoch: record.epoch };
      const publications = await this.#publications(place, last, query);
      if (publications !== undefined) return { publications, top };
      if (tries === triesMax) throw fault('the copies of the log do not agree on what is in it');
      await new Promise<void>((resolve) => {
        this.#options.clock.after(retryDelayMs, resolve);
      });
    }
  }

  /** Undefined where what is there does not reach up to the top: a copy that lags, or a removal meanwhile. */
  async #publications(place: Place, last: StoredRecord, query: HistoryQuery): Promise<Publication[] | undefined> {
    const { floor, ttlMs } = last.record;
    const { since, limit, bytesMax = Infinity, reverse } = query;
    const top = topOf(last.record);
    const oldestMs = this.#options.clock.now() - ttlMs;
    const isExpired = ({ time = 0 }: Publication): boolean => time <= oldestMs;
    if (limit <= 0) return [];
    const range =
      reverse === true
        ? { from: floor, to: Math.min(top, (since?.offset ?? Infinity) - 1) }
        : { from: Math.max(floor, (since?.offset ?? 0) + 1), to: top };
    if (range.from > range.to || publicationsOf(last.record).every(isExpired)) return [];
    if (reverse === true) return this.#backward(place, last, range, { limit, bytesMax, isExpired });
    // What is too old lies at the beginning, and takes no place in the page.
    for (let { from } = range; from <= top;) {
      const page = await this.#forward(place, last, { from, to: Math.min(top, from + limit - 1) }, bytesMax);
      const fresh = page?.findIndex((publication) => !isExpired(publication));
      if (page === undefined || fresh === 0) return page;
      from = page[fresh ?? -1]?.offset ?? (page.at(-1)?.offset ?? top) + 1;
    }
    return [];
  }

  /** `from` to `to` or as many as fit; what the server trimmed at the beginning may be missing. */
  async #forward(
    place: Place,
    last: StoredRecord,
    { from, to }: Range,
    bytesMax: number,
  ): Promise<Publication[] | undefined> {
    const page: Publication[] = [];
    let bytes = 0;
    let next = from;
    for await (const { record } of this.#records(place, last, from)) {
      if (topOf(record) < next) continue;
      // A hole; but before the first there may be one, where the server has trimmed meanwhile.
      if (record.previous >= next && (page.length > 0 || !(await this.#isOldest(place, record)))) return undefined;
      for (const publication of publicationsOf(record)) {
        const offset = publication.offset ?? 0;
        if (offset < next || record.epoch !== last.record.epoch) continue;
        bytes += publicationBytes(publication);
        if (bytes > bytesMax && page.length > 0) return page;
        page.push(publication);
        next = offset + 1;
        if (next > to) return page;
      }
    }
    return undefined;
  }

  async #backward(
    place: Place,
    last: StoredRecord,
    { from, to }: Range,
    bounds: { limit: number; bytesMax: number; isExpired: (publication: Publication) => boolean },
  ): Promise<Publication[] | undefined> {
    const page: Publication[] = [];
    let bytes = 0;
    for (let high = to; high >= from && page.length < bounds.limit;) {
      const low = Math.max(from, high - Math.min(backwardChunk, bounds.limit - page.length) + 1);
      const chunk = await this.#forward(place, last, { from: low, to: high }, Infinity);
      if (chunk === undefined) return page.length > 0 ? page : undefined;
      for (const publication of chunk.toReversed()) {
        bytes += publicationBytes(publication);
        if (bounds.isExpired(publication) || (bytes > bounds.bytesMax && page.length > 0)) return page;
        page.push(publication);
      }
      if (chunk[0]?.offset !== low) return page;
      high = low - 1;
    }
    return page;
  }

  /** Whether all before it is gone. If not, the copy that did not have it lags behind the leader (DEL-9). */
  async #isOldest({ stream, subject }: Place, record: LogRecord): Promise<boolean> {
    const oldest = await this.#ask(stream, { seq: 1, next_by_subj: subject });
    return oldest === undefined || oldest.record.previous >= record.previous;
  }

  /** Records in order, from the one that holds `from` or earlier, up to the last. */
  async *#records(place: Place, last: StoredRecord, from: number): AsyncGenerator<StoredRecord> {
    if (last.record.previous < from) {
      yield last;
      return;
    }
    let sequence = await this.#seek(place, last, from);
    while (sequence < last.sequence) {
      let found = 0;
      for (const stored of await this.#batch(place, sequence)) {
        if (stored.sequence >= last.sequence) break;
        found = stored.sequence;
        yield stored;
      }
      if (found === 0) break;
      sequence = found + 1;
    }
    yield last;
  }

  /**
   * A sequence from which few records are read in vain: the stream counts all its channels together, so the
   * place of an offset is looked for, going back ever further from the top, then by halves.
   */
  async #seek({ stream, subject }: Place, last: StoredRecord, from: number): Promise<number> {
    let step = Math.max(1, topOf(last.record) - from + 1);
    let high = last.sequence;
    let low: StoredRecord | undefined;
    while (low === undefined) {
      const sequence = Math.max(1, last.sequence - step);
      const stored = await this.#ask(stream, { seq: sequence, next_by_subj: subject });
      if (stored !== undefined && stored.record.previous < from) low = stored;
      else if (sequence === 1) return 1;
      else [high, step] = [sequence, step * 4];
    }
    while (from - topOf(low.record) > skippedMax && high - low.sequence > 1) {
      const middle = Math.floor((low.sequence + high) / 2);
      const stored = await this.#ask(stream, { seq: middle, next_by_subj: subject });
      if (stored !== undefined && stored.record.previous < from && stored.sequence > low.sequence) low = stored;
      else high = middle;
    }
    return low.sequence;
  }

  async #batch({ stream, subject }: Place, sequence: number): Promise<StoredRecord[]> {
    const { link, clock, timeoutMs } = this.#options;
    const jsm = await link.guard(jetstreamManager(link.connection, { checkAPI: false }));
    const asked = { seq: sequence, next_by_subj: subject, batch: batchMax, max_bytes: batchBytesMax };
    const messages = await jsm.direct.getBatch(stream, asked);
    const timer = clock.after(timeoutMs, () => messages.stop(new Error('timeout')));
    const found: StoredRecord[] = [];
    const collect = async (): Promise<void> => {
      for await (const { seq, data } of messages) found.push({ sequence: seq, record: decodeRecord(data) });
    };
    try {
      await link.guard(collect());
      return found;
    } catch (error) {
      // A copy that lags, or a removal meanwhile: what is missing then shows as a hole, and is asked for again.
      if (error instanceof Error && 'code' in error && error.code === 404) return found;
      throw faultOf(error);
    } finally {
      timer.cancel();
      messages.stop();
    }
  }

  /** From the stream's leader. */
  async #ask(stream: string, query: Record<string, unknown>): Promise<StoredRecord | undefined> {
    const message = await this.#message(stream, query);
    if (message === undefined) return undefined;
    return { sequence: message.seq, record: decode(Buffer.from(message.data ?? '', 'base64')) };
  }

  async #message(stream: string, query: Record<string, unknown>): Promise<MessageAnswer['message']> {
    const answer = await this.#request(stream, `$JS.API.STREAM.MSG.GET.${stream}`, JSON.stringify(query));
    const { message, error } = answer.json<MessageAnswer>();
    if (error !== undefined) {
      if (error.code === 404) return undefined;
      throw fault(`the log cannot be read: ${error.description ?? error.code}`);
    }
    if (message === undefined) throw fault('the log cannot be read: NATS gave an empty answer');
    return message;
  }

  /** Once more where it went to a leader that is none any more. */
  async #request(stream: string, subject: string, payload: string): Promise<Msg> {
    const { link, elections, timeoutMs } = this.#options;
    const ask = (): Promise<Msg> => elections.guard(stream, link.request(subject, payload, { timeoutMs }));
    try {
      return await ask().catch((error: unknown) => {
        if (error instanceof LeaderChanged) return ask();
        throw error;
      });
    } catch (error) {
      throw faultOf(error);
    }
  }
}

interface Range {
  readonly from: number;
  readonly to: number;
}

interface MessageAnswer {
  readonly message?: { readonly subject: string; readonly seq: number; readonly data?: string };
  readonly error?: { readonly code: number; readonly description?: string };
}

function read(answer: Msg): StoredRecord | undefined {
  const code = answer.headers?.code ?? 0;
  if (code === 404) return undefined;
  if (code !== 0) throw fault(`the log cannot be read: ${answer.headers?.description ?? code}`);
  return { sequence: Number(answer.headers?.last('Nats-Sequence')), record: decode(answer.data) };
}

function decode(bytes: Uint8Array): LogRecord {
  try {
    return decodeRecord(bytes);
  } catch (error) {
    throw new Fault('broker', 'the log holds something that Tutti did not write', { retryable: false, cause: error });
  }
}

function fault(message: string): Fault {
  return new Fault('broker', message, { retryable: true });
}

function faultOf(error: unknown): Fault {
  if (error instanceof Fault) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new Fault('broker', `the log cannot be read: ${reason}`, { retryable: true, cause: error });
}

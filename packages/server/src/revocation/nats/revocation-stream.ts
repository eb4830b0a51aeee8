import { jetstreamManager, type StreamConfig } from '@nats-io/jetstream';
import { headers, type Msg, type MsgHdrs, type NatsConnection } from '@nats-io/transport-node';
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';

/** What the list needs of the node's one connection to NATS, which it shares with the broker. */
export interface RevocationNats {
  readonly isUp: boolean;
  /** Throws while it is down. */
  readonly connection: NatsConnection;
  /** Called each time it is up, also where it is now. */
  onUp(fn: () => void): void;
  /** From now on, or from when it is up. */
  subscribe(subject: string, heard: (message: Msg) => void): unknown;
  /** Resolves when the first attempt has ended, well or not. */
  start(): Promise<void>;
  /** The promise, or a rejection as soon as the connection breaks. */
  guard<T>(asked: Promise<T>): Promise<T>;
  request(subject: string, payload: Uint8Array | string, how: { headers?: MsgHdrs; timeoutMs: number }): Promise<Msg>;
}

/** Name and subjects in NATS. */
export interface RevocationNames {
  readonly stream: string;
  /** Of one entry, by the hash of its subject. */
  readonly entry: (hash: string) => string;
  readonly entries: string;
  readonly hints: string;
}

/** What the list wants of its stream; copies are the business of who makes it. */
export type RevocationStreamConfig = Partial<StreamConfig> & Pick<StreamConfig, 'name'>;

export interface RevocationStreamOptions {
  readonly nats: RevocationNats;
  readonly names: RevocationNames;
  /** Makes the stream, or adjusts it. Throws `Fault`. */
  readonly ensureStream: (wanted: RevocationStreamConfig) => Promise<unknown>;
  readonly clock: Clock;
}

export interface StreamState {
  /** When the stream was made: another of the same name is another list. */
  readonly life: string;
  /** Of the newest entry, also where it has expired since. */
  readonly sequence: number;
  readonly count: number;
}

export interface StoredEntry {
  readonly sequence: number;
  readonly data: Uint8Array;
}

const requestTimeoutMs = 2_000;
const codes = { noStream: 10059, wrongSequence: 10071, wrongSequenceUnknown: 10164 } as const;

/** One message for each subject that was revoked; all questions but for pages go to the stream's leader. */
export class RevocationStream {
  readonly #options: RevocationStreamOptions;
  #isEnsured = false;

  constructor(options: RevocationStreamOptions) {
    this.#options = options;
  }

  async ensure(): Promise<void> {
    if (this.#isEnsured) return;
    const { names, ensureStream } = this.#options;
    await ensureStream({
      name: names.stream,
      subjects: [names.entries],
      max_msgs_per_subject: 1,
      max_age: 0,
      // Where an operator bounds it, it must refuse: an entry forgotten for a newer one lets somebody back in.
      discard: 'new',
      allow_direct: true,
      allow_msg_ttl: true,
    });
    this.#isEnsured = true;
  }

  /** It may be another's by now. */
  forget(): void {
    this.#isEnsured = false;
  }

  async state(): Promise<StreamState> {
    await this.ensure();
    const { error, created = '', state } = await this.#ask<StreamAnswer>('STREAM.INFO', '');
    if (error?.err_code === codes.noStream) this.forget();
    if (error !== undefined || state === undefined) throw unread(error);
    return { life: created, sequence: state.last_seq, count: state.messages };
  }

  /** The entry of a subject, or undefined where there is none. */
  newest(subject: string): Promise<StoredEntry | undefined> {
    return this.#message({ last_by_subj: subject });
  }

  /** The first entry with this sequence or a later one. */
  next(sequence: number): Promise<StoredEntry | undefined> {
    return this.#message({ seq: sequence, next_by_subj: this.#options.names.entries });
  }

  /**
   * From this sequence on, at most so many. Any copy of the stream answers, and knows all up to some sequence, which may
   * lie behind the leader's.
   */
  async page(sequence: number, countMax: number): Promise<StoredEntry[]> {
    const { nats, names, clock } = this.#options;
    const jsm = await nats.guard(jetstreamManager(nats.connection, { checkAPI: false }));
    const asked = { seq: sequence, next_by_subj: names.entries, batch: countMax };
    const messages = await jsm.direct.getBatch(names.stream, asked);
    const timer = clock.after(requestTimeoutMs, () => messages.stop(new Error('timeout')));
    const found: StoredEntry[] = [];
    const collect = async (): Promise<void> => {
      for await (const { seq, data } of messages) found.push({ sequence: seq, data });
    };
    try {
      await nats.guard(collect());
      return found;
    } finally {
      timer.cancel();
      messages.stop();
    }
  }

  /** Its sequence; undefined where something else stands behind `behind` by now, and nothing was put there. */
  async put(subject: string, data: Uint8Array, behind: number, ttlSeconds?: number): Promise<number | undefined> {
    const wanted = headers();
    wanted.set('Nats-Expected-Last-Sequence', String(behind));
    wanted.set('Nats-Expected-Stream', this.#options.names.stream);
    if (ttlSeconds !== undefined) wanted.set('Nats-TTL', String(ttlSeconds));
    const answer = await this.#options.nats.request(subject, data, { headers: wanted, timeoutMs: requestTimeoutMs });
    const { seq, error } = answer.json<{ seq?: number; error?: ApiError }>();
    if (error?.err_code === codes.wrongSequence || error?.err_code === codes.wrongSequenceUnknown) return undefined;
    if (error !== undefined || seq === undefined) throw unread(error);
    return seq;
  }

  async #message(query: Record<string, unknown>): Promise<StoredEntry | undefined> {
    const { message, error } = await this.#ask<MessageAnswer>('STREAM.MSG.GET', JSON.stringify(query));
    if (error?.code === 404 && error.err_code !== codes.noStream) return undefined;
    if (error !== undefined || message === undefined) throw unread(error);
    return { sequence: message.seq, data: Buffer.from(message.data ?? '', 'base64') };
  }

  async #ask<T>(what: string, payload: string): Promise<T> {
    const { nats, names } = this.#options;
    const answer = await nats.request(`$JS.API.${what}.${names.stream}`, payload, { timeoutMs: requestTimeoutMs });
    return answer.json<T>();
  }
}

interface ApiError {
  readonly code?: number;
  readonly err_code?: number;
  readonly description?: string;
}

interface StreamAnswer {
  readonly error?: ApiError;
  readonly created?: string;
  readonly state?: { readonly last_seq: number; readonly messages: number };
}

interface MessageAnswer {
  readonly error?: ApiError;
  readonly message?: { readonly seq: number; readonly data?: string };
}

function unread(error: ApiError | undefined): Fault {
  const why = error?.description ?? 'NATS gave an answer that is none';
  return new Fault('revocation', why, { retryable: true });
}

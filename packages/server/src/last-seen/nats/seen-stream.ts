import { jetstreamManager, type StreamConfig } from '@nats-io/jetstream';
import { headers, type Msg, type MsgHdrs, type NatsConnection } from '@nats-io/transport-node';
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import type { LastSeenBounds } from '../last-seen.ts';

/** What this needs of the node's one connection to NATS, which it shares with the broker. */
export interface LastSeenNats {
  readonly isUp: boolean;
  /** Throws while it is down. */
  readonly connection: NatsConnection;
  /** Called each time it is up, also where it is now. */
  onUp(fn: () => void): void;
  /** Resolves when the first attempt has ended, well or not. */
  start(): Promise<void>;
  /** The promise, or a rejection as soon as the connection breaks. */
  guard<T>(asked: Promise<T>): Promise<T>;
  request(subject: string, payload: Uint8Array | string, how: { headers?: MsgHdrs; timeoutMs: number }): Promise<Msg>;
}

/** Name and subjects in NATS. */
export interface LastSeenNames {
  readonly stream: string;
  /** Of one user, by the hash of its name. */
  readonly user: (hash: string) => string;
  /** Of one process of a node. */
  readonly node: (node: string) => string;
  readonly all: string;
}

/** What is wanted of the stream; copies are the business of who makes it. */
export type LastSeenStreamConfig = Partial<StreamConfig> & Pick<StreamConfig, 'name'>;

export interface SeenStreamOptions {
  readonly nats: LastSeenNats;
  readonly names: LastSeenNames;
  /** Makes the stream, or adjusts it. Throws `Fault`. */
  readonly ensureStream: (wanted: LastSeenStreamConfig) => Promise<unknown>;
  readonly clock: Clock;
  readonly bounds: LastSeenBounds;
}

export interface StoredMessage {
  readonly sequence: number;
  readonly data: Uint8Array;
}

const requestTimeoutMs = 2_000;
/** Messages of nodes, beside those of users: the oldest go first. */
const nodesMax = 1_000;
const nanos = 1_000_000;
const codes = { noStream: 10059, wrongSequence: 10071, wrongSequenceUnknown: 10164 } as const;

/** The newest message of each user and of each node; what is old, or too much, NATS itself removes. */
export class SeenStream {
  readonly #options: SeenStreamOptions;
  #isEnsured = false;

  constructor(options: SeenStreamOptions) {
    this.#options = options;
  }

  async ensure(): Promise<void> {
    if (this.#isEnsured) return;
    const { names, ensureStream, bounds } = this.#options;
    await ensureStream({
      name: names.stream,
      subjects: [names.all],
      max_msgs_per_subject: 1,
      max_msgs: bounds.usersMax + nodesMax,
      max_age: bounds.ttlMs * nanos,
      discard: 'old',
      allow_direct: true,
    });
    this.#isEnsured = true;
  }

  /** It may be another's by now. */
  forget(): void {
    this.#isEnsured = false;
  }

  /** The newest of each subject that has one, at most 1,000. Any copy of the stream answers, and may lag behind the leader. */
  async newest(subjects: readonly string[]): Promise<ReadonlyMap<string, StoredMessage>> {
    const found = new Map<string, StoredMessage>();
    if (subjects.length === 0) return found;
    const { nats, names, clock } = this.#options;
    await this.ensure();
    const jsm = await nats.guard(jetstreamManager(nats.connection, { checkAPI: false }));
    const messages = await jsm.direct.getLastMessagesFor(names.stream, { multi_last: [...new Set(subjects)] });
    const timer = clock.after(requestTimeoutMs, () => messages.stop(new Error('timeout')));
    const collect = async (): Promise<void> => {
      for await (const { subject, seq, data } of messages) found.set(subject, { sequence: seq, data });
    };
    try {
      await nats.guard(collect());
    } catch (error) {
      // NATS says so where it has none of them.
      if (codeOf(error) !== 404) throw error;
    } finally {
      timer.cancel();
      messages.stop();
    }
    return found;
  }

  /** The same of one subject, by the leader. */
  async newestOf(subject: string): Promise<StoredMessage | undefined> {
    const query = JSON.stringify({ last_by_subj: subject });
    const { message, error } = await this.#ask<MessageAnswer>('STREAM.MSG.GET', query);
    if (error?.code === 404 && error.err_code !== codes.noStream) return undefined;
    if (error !== undefined || message === undefined) throw this.#refused(error);
    return { sequence: message.seq, data: Buffer.from(message.data ?? '', 'base64') };
  }

  /** False: something else stands there than what had the sequence `behind` (0: nothing), and nothing was put. Absent: whatever stands there. */
  async put(subject: string, data: Uint8Array, behind?: number): Promise<boolean> {
    const { nats, names } = this.#options;
    const wanted = headers();
    wanted.set('Nats-Expected-Stream', names.stream);
    if (behind !== undefined) wanted.set('Nats-Expected-Last-Subject-Sequence', String(behind));
    const answer = await nats.request(subject, data, { headers: wanted, timeoutMs: requestTimeoutMs });
    const { seq, error } = answer.json<{ seq?: number; error?: ApiError }>();
    if (error?.err_code === codes.wrongSequence || error?.err_code === codes.wrongSequenceUnknown) return false;
    if (error !== undefined || seq === undefined) throw this.#refused(error);
    return true;
  }

  async remove(subject: string): Promise<void> {
    await this.ensure();
    const { success, error } = await this.#ask<PurgeAnswer>('STREAM.PURGE', JSON.stringify({ filter: subject }));
    if (success !== true) throw this.#refused(error);
  }

  async #ask<T>(what: string, payload: string): Promise<T> {
    const { nats, names } = this.#options;
    const answer = await nats.request(`$JS.API.${what}.${names.stream}`, payload, { timeoutMs: requestTimeoutMs });
    return answer.json<T>();
  }

  #refused(error: ApiError | undefined): Fault {
    if (error?.err_code === codes.noStream) this.forget();
    return new Fault('last-seen', error?.description ?? 'NATS gave an answer that is none', { retryable: true });
  }
}

interface ApiError {
  readonly code?: number;
  readonly err_code?: number;
  readonly description?: string;
}

interface PurgeAnswer {
  readonly success?: boolean;
  readonly error?: ApiError;
}

interface MessageAnswer {
  readonly error?: ApiError;
  readonly message?: { readonly seq: number; readonly data?: string };
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

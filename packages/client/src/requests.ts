import type { ClientInfo, HistoryResult, Position, Publication, PublishResult } from '@tutti/protocol';
import type { CommandBody } from './calls.ts';
import type { Outbox } from './outbox.ts';

export interface PublishOptions {
  /** What `latest_by_key` delivery conflates by. */
  key?: string;
  /** Never conflated away. */
  final?: boolean;
  /** By default a new one for each call. A retry with the same key takes effect at most once (DEL-6). */
  idempotencyKey?: string;
  /** Append only where the top of the channel is exactly here; otherwise error 121. */
  expected?: Position | { offset: number };
  /** How long to try, milliseconds. */
  timeoutMs?: number;
}

export interface HistoryOptions {
  /** Most publications wanted; 0: only the position. By default as many as the server gives at once. */
  limit?: number;
  /** Only those after (with `reverse`: before) this position. */
  since?: Position;
  /** Newest first. */
  reverse?: boolean;
}

export interface History<T> {
  publications: ReceivedPublication<T>[];
  /** The top of the channel. */
  offset: number;
  epoch: string;
}

/** A publication as the application gets it; the other fields are those of the wire. */
export interface ReceivedPublication<T = unknown> extends Omit<Publication<unknown>, 'data' | 'channel' | 'delta'> {
  data: T;
  channel: string;
}

/** Who is in a channel: by connection id. */
export type Members = Record<string, ClientInfo<unknown>>;

/** Holds a request back until it says true. */
export type IsReady = (() => boolean) | undefined;

/** What an application asks of a channel; the same for `Tutti` and `Subscription`. */
export class Requests {
  readonly #outbox: Outbox;
  readonly #timeoutMs: number;
  readonly #keyHead: string;
  #keyCount = 0;

  constructor(outbox: Outbox, timeoutMs: number, keyHead: string) {
    this.#outbox = outbox;
    this.#timeoutMs = timeoutMs;
    this.#keyHead = keyHead;
  }

  async publish(channel: string, data: unknown, options: PublishOptions, isReady?: IsReady): Promise<PublishResult> {
    const { key, final, expected, timeoutMs = this.#timeoutMs } = options;
    const idempotencyKey = options.idempotencyKey ?? `${this.#keyHead}-${(++this.#keyCount).toString(36)}`;
    const publish = {
      channel,
      data,
      idempotency_key: idempotencyKey,
      ...(key === undefined ? {} : { key }),
      ...(final ? { final } : {}),
      ...(expected === undefined ? {} : { expected_offset: expected.offset }),
      ...(expected !== undefined && 'epoch' in expected ? { expected_epoch: expected.epoch } : {}),
    };
    const reply = await this.#outbox.request({ publish }, { timeoutMs, repeatable: true, isReady, idempotencyKey });
    return reply.publish ?? {};
  }

  async history<T>(channel: string, options: HistoryOptions, isReady?: IsReady): Promise<History<T>> {
    const { limit = -1, since, reverse } = options;
    const history = { channel, limit, ...(since ? { since } : {}), ...(reverse ? { reverse } : {}) };
    const result: Partial<HistoryResult<unknown>> = (await this.#read({ history }, isReady)).history ?? {};
    const publications = (result.publications ?? []).map((publication) => received<T>(channel, publication));
    return { publications, offset: result.offset ?? 0, epoch: result.epoch ?? '' };
  }

  async presence(channel: string, isReady?: IsReady): Promise<Members> {
    return (await this.#read({ presence: { channel } }, isReady)).presence?.presence ?? {};
  }

  async presenceStats(channel: string, isReady?: IsReady): Promise<{ clients: number; users: number }> {
    const stats = (await this.#read({ presence_stats: { channel } }, isReady)).presence_stats;
    return { clients: stats?.num_clients ?? 0, users: stats?.num_users ?? 0 };
  }

  /** Resolves to the interval that the server keeps, milliseconds. */
  async interval(channel: string, interval: number, isReady?: IsReady): Promise<number> {
    return (await this.#read({ sub_refresh: { channel, interval } }, isReady)).sub_refresh?.interval ?? 0;
  }

  /** Not repeated by itself: what a method does twice, the SDK cannot know. */
  async rpc(method: string, data: unknown, timeoutMs = this.#timeoutMs): Promise<unknown> {
    return (await this.#outbox.request({ rpc: { method, data } }, { timeoutMs, repeatable: false })).rpc?.data;
  }

  #read(body: CommandBody, isReady: IsReady): ReturnType<Outbox['request']> {
    return this.#outbox.request(body, { timeoutMs: this.#timeoutMs, repeatable: true, isReady });
  }
}

export function received<T>(channel: string, publication: Publication<unknown>): ReceivedPublication<T> {
  return { ...publication, channel } as ReceivedPublication<T>;
}

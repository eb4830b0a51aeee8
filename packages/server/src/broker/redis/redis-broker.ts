import type { Position } from '@tutti/protocol';
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import type { Random } from '../../core/random.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import {
  PositionConflict,
  type Broker,
  type BrokerEvents,
  type HistoryPage,
  type HistoryQuery,
  type HistoryRetention,
  type PublicationDraft,
  type PublishOptions,
  type PublishOutcome,
} from '../broker.ts';
import { decodePublication, encodeEnvelope } from '../publication-envelope.ts';
import { SeldomWarning } from '../seldom-warning.ts';
import { channelKeys, idempotencyKeyOf, type ChannelKeys } from './channel-keys.ts';
import { HeldOutcomes } from './held-outcomes.ts';
import { decodeLive, encodePassing } from './live-message.ts';
import { RedisFault } from './redis-fault.ts';
import type { RedisLink } from './redis-link.ts';
import { historyScript, passScript, publishScript, removeScript, topsScript, type Script } from './scripts.ts';
import type { CommandArgument } from './server-link.ts';

export interface RedisBrokerOptions {
  /** May be shared with whoever else uses the same Redis. */
  readonly link: RedisLink;
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Log;
  /** Beginning of all keys and pub/sub channels: several installations may share one Redis. */
  readonly prefix?: string;
  readonly idempotencyWindowMs?: number;
  /** How long the top offset and the epoch of a channel outlive its last publication. */
  readonly historyMetaTtlMs?: number;
  /** Channels whose publishes wait until so many replicas have them. */
  readonly confirm?: { readonly replicas: number; readonly isDue: (channel: string) => boolean };
  /** For tests: the time by which publications and keys age, in place of the server's. */
  readonly nowMs?: () => number;
}

const day = 24 * 3_600_000;
const prefixDefault = 'tutti';
const idempotencyWindowMsDefault = day;
const historyMetaTtlMsDefault = 30 * day;
/** What a waiting publish costs beside its payload. */
const publishOverheadBytes = 512;
/** Channels in one script: a fraction of a millisecond, in which Redis does nothing else. */
const topsAtOnce = 250;

/**
 * The log in Redis: a stream a channel, and one script that appends and fans out as one step.
 *
 * All commands of a channel go over one connection in the order of the calls, so that is the order of the
 * log (DEL-4). Live publications of every node, this one included, come back over pub/sub on the same
 * connection. An epoch is the channel's own random life and the server's generation, which changes
 * whenever another server becomes master or the same one starts again: what was lost then cannot be told,
 * and an (epoch, offset) must never name two publications (DEL-3, docs/decisions/0013).
 */
export class RedisBroker implements Broker {
  readonly #options: RedisBrokerOptions;
  readonly #link: RedisLink;
  readonly #prefix: string;
  readonly #windowMs: number;
  readonly #confirm: NonNullable<RedisBrokerOptions['confirm']>;
  readonly #origin: string;
  readonly #held = new HeldOutcomes();
  readonly #foreign: SeldomWarning;
  /** Pub/sub channel to the channel's name. */
  readonly #names = new Map<string, string>();
  readonly #unsettled = new Set<Promise<unknown>>();
  #events: BrokerEvents | undefined;
  #tickets = 0;
  #isClosed = false;

  constructor(options: RedisBrokerOptions) {
    this.#options = options;
    this.#link = options.link;
    this.#prefix = options.prefix ?? prefixDefault;
    this.#windowMs = options.idempotencyWindowMs ?? idempotencyWindowMsDefault;
    this.#confirm = options.confirm ?? { replicas: 0, isDue: () => false };
    this.#origin = options.random.id().slice(0, 12);
    this.#foreign = new SeldomWarning(options.clock, options.log);
  }

  async start(events: BrokerEvents): Promise<void> {
    this.#events = events;
    this.#link.onInterrupted(() => events.interrupted?.());
    this.#link.onBroken(() => this.#held.forgetAll());
    await this.#link.open();
  }

  async subscribe(channel: string): Promise<void> {
    this.#mustBeStarted();
    const { live, slot } = channelKeys(this.#prefix, channel);
    this.#names.set(live, channel);
    try {
      await this.#link.subscribe(live, slot, this.#receive);
    } catch (error) {
      if (!this.#link.isSubscribed(live)) this.#names.delete(live);
      this.#held.forget(live);
      throw error;
    }
  }

  async unsubscribe(channel: string): Promise<void> {
    this.#mustBeStarted();
    const { live } = channelKeys(this.#prefix, channel);
    this.#names.delete(live);
    this.#held.forget(live);
    await this.#link.unsubscribe(live);
  }

  async publish(channel: string, draft: PublicationDraft, options: PublishOptions): Promise<PublishOutcome> {
    this.#mustBeStarted();
    if (options.expected !== undefined && options.history === undefined) {
      throw new Fault('broker', 'an expected position needs a channel with history', { retryable: false });
    }
    const { replicas, isDue } = this.#confirm;
    const isConfirmed = replicas > 0 && isDue(channel);
    return this.#untilSettled(this.#publish(channelKeys(this.#prefix, channel), draft, options, isConfirmed));
  }

  async history(channel: string, query: HistoryQuery): Promise<HistoryPage> {
    this.#mustBeStarted();
    const keys = channelKeys(this.#prefix, channel);
    const { since, limit, bytesMax, reverse } = query;
    const reply = await this.#untilSettled(
      this.#run(
        historyScript,
        keys,
        [keys.meta, keys.log],
        [
          this.#options.random.id(),
          this.#now(),
          since === undefined ? '' : String(since.offset),
          String(limit),
          bytesMax === undefined ? '' : String(bytesMax),
          reverse === true ? 'reverse' : '',
        ],
      ),
    );
    const [top, epoch, rows] = reply as [Buffer, Buffer, [Buffer, Buffer[]][]];
    const publications = rows.map(publicationOf);
    return { publications, top: { offset: Number(top.toString()), epoch: epoch.toString() } };
  }

  /** All calls leave in this turn: one round trip for each server, however many there are. */
  async tops(channels: readonly string[]): Promise<ReadonlyMap<string, Position>> {
    this.#mustBeStarted();
    const groups = Map.groupBy(channels, (channel) =>
      this.#link.isSharded ? channelKeys(this.#prefix, channel).slot : 0,
    );
    const calls = [...groups.values()].flatMap((group) =>
      Array.from({ length: Math.ceil(group.length / topsAtOnce) }, (_, i) =>
        this.#topsOf(group.slice(i * topsAtOnce, (i + 1) * topsAtOnce)),
      ),
    );
    const read = await Promise.allSettled(calls.map((call) => this.#untilSettled(call)));
    const failed = read.find(({ status }) => status === 'rejected');
    const tops = read.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
    if (tops.length === 0 && failed?.status === 'rejected') throw failed.reason;
    return new Map(tops);
  }

  async #topsOf(channels: readonly string[]): Promise<[string, Position][]> {
    const keys = channels.map((channel) => channelKeys(this.#prefix, channel));
    const [first] = keys;
    if (first === undefined) return [];
    const names = keys.flatMap(({ meta, log }) => [meta, log]);
    const lives = channels.map(() => this.#options.random.id());
    const reply = (await this.#run(topsScript, first, names, lives)) as Buffer[];
    return channels.map((channel, i) => [
      channel,
      { offset: Number(String(reply[i * 2])), epoch: String(reply[i * 2 + 1]) },
    ]);
  }

  async removeHistory(channel: string): Promise<void> {
    this.#mustBeStarted();
    const keys = channelKeys(this.#prefix, channel);
    await this.#untilSettled(this.#run(removeScript, keys, [keys.meta, keys.log], []));
  }

  /** What was accepted has its answer first. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.allSettled(this.#unsettled);
    this.#held.forgetAll();
    await Promise.allSettled([...this.#names.keys()].map((live) => this.#link.unsubscribe(live)));
    this.#names.clear();
    if (this.#events !== undefined) await this.#link.close();
  }

  /** Sends before anything is awaited: the order of the calls is the order of the log. */
  async #publish(
    keys: ChannelKeys,
    draft: PublicationDraft,
    options: PublishOptions,
    isConfirmed: boolean,
  ): Promise<PublishOutcome> {
    const { history } = options;
    const ticket = ++this.#tickets;
    const echoes = this.#link.isSubscribed(keys.live) ? this.#held.expect(keys.live) : undefined;
    const sent =
      history === undefined
        ? this.#pass(keys, draft, options.idempotencyKey, ticket)
        : this.#append(keys, draft, options, history, ticket);
    const confirmed = isConfirmed ? this.#link.confirm(keys.slot, this.#confirm.replicas) : undefined;
    confirmed?.catch(() => undefined);
    const { kind, position } = await sent;
    if (kind === 'conflict') throw new PositionConflict(position ?? { offset: 0, epoch: '' });
    const isDuplicate = kind === 'duplicate';
    if (!isDuplicate) await echoes?.of(ticket);
    await confirmed;
    return position === undefined ? { duplicate: isDuplicate } : { position, duplicate: isDuplicate };
  }

  async #append(
    keys: ChannelKeys,
    draft: PublicationDraft,
    { idempotencyKey, expected }: PublishOptions,
    { size, ttlMs }: HistoryRetention,
    ticket: number,
  ): Promise<Answer> {
    const metaTtlMs = Math.max(
      this.#options.historyMetaTtlMs ?? historyMetaTtlMsDefault,
      ttlMs * 2,
      this.#windowMs * 2,
    );
    const names = [keys.live, keys.meta, keys.log];
    if (idempotencyKey !== undefined) names.push(idempotencyKeyOf(keys, idempotencyKey));
    const reply = await this.#run(publishScript, keys, names, [
      this.#options.random.id(),
      this.#now(),
      bufferOf(draft.data),
      encodeEnvelope(draft) ?? '',
      this.#origin,
      String(ticket),
      String(Math.max(1, Math.floor(size))),
      String(Math.ceil(ttlMs)),
      String(Math.ceil(metaTtlMs)),
      expected === undefined ? '' : String(expected.offset),
      expected?.epoch ?? '',
      String(this.#windowMs),
      this.#publishCommand,
    ]);
    return answerOf(reply);
  }

  async #pass(keys: ChannelKeys, draft: PublicationDraft, key: string | undefined, ticket: number): Promise<Answer> {
    const message = encodePassing(draft, this.#options.clock.now(), this.#origin, ticket);
    if (key === undefined) {
      await this.#link.call(keys.slot, this.#publishCommand, [keys.live, message], message.length);
      return { kind: 'passed' };
    }
    const names = [keys.live, idempotencyKeyOf(keys, key)];
    return answerOf(
      await this.#run(passScript, keys, names, [this.#now(), message, String(this.#windowMs), this.#publishCommand]),
    );
  }

  #run(
    script: Script,
    keys: ChannelKeys,
    names: readonly string[],
    values: readonly CommandArgument[],
  ): Promise<unknown> {
    let bytes = publishOverheadBytes;
    for (const value of values) bytes += typeof value === 'number' ? 8 : value.length;
    return this.#link.call(keys.slot, 'EVALSHA', [script.sha, names.length, ...names, ...values], bytes);
  }

  readonly #receive = (live: string, message: Uint8Array): void => {
    const channel = this.#names.get(live);
    if (channel === undefined) return;
    const read = decodeLive(message);
    if (read === undefined) {
      this.#foreign.due({ bytes: message.length }, 'redis: a message of nobody known was ignored');
      return;
    }
    const { publication, epoch, previousOffset, origin, ticket } = read;
    this.#events?.publication({ channel, publication, epoch, previousOffset });
    if (origin === this.#origin) this.#held.heard(live, ticket);
  };

  #untilSettled<T>(promise: Promise<T>): Promise<T> {
    this.#unsettled.add(promise);
    const settled = (): void => {
      this.#unsettled.delete(promise);
    };
    promise.then(settled, settled);
    return promise;
  }

  #mustBeStarted(): void {
    if (this.#isClosed) throw new RedisFault('the broker is closed', { retryable: false });
    if (this.#events === undefined) throw new RedisFault('the broker was not started', { retryable: false });
  }

  #now(): string {
    const { nowMs } = this.#options;
    return nowMs === undefined ? '' : String(Math.floor(nowMs()));
  }

  get #publishCommand(): string {
    return this.#link.isSharded ? 'SPUBLISH' : 'PUBLISH';
  }
}

interface Answer {
  readonly kind: string;
  readonly position?: { offset: number; epoch: string };
}

function answerOf(reply: unknown): Answer {
  const [kind = '', offset, epoch = ''] = (reply as Buffer[]).map(String);
  return offset === undefined ? { kind } : { kind, position: { offset: Number(offset), epoch } };
}

/** `[ID, [FIELD, VALUE, …]]`, where the id is `OFFSET-TIME`. */
function publicationOf([id, [, data, , envelope]]: [Buffer, Buffer[]]) {
  const [offset, time] = id.toString().split('-').map(Number);
  return decodePublication(offset ?? 0, time ?? 0, data ?? new Uint8Array(0), envelope?.toString() ?? null);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

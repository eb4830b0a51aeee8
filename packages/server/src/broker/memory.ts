import type { Clock, Timer } from '../core/clock.ts';
import { Fault } from '../core/fault.ts';
import type { Random } from '../core/random.ts';
import type { Log } from '../telemetry/telemetry.ts';
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
} from './broker.ts';
import { ChannelLog, type ByteMeter } from './channel-log.ts';
import { compactPayload } from './compact-payload.ts';
import { Epochs } from './epochs.ts';
import { IdempotencyWindow } from './idempotency-window.ts';
import { SeldomWarning } from './seldom-warning.ts';

export interface MemoryBrokerOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Most channels with a log; beyond it the one that was longest without a publication is forgotten. */
  readonly channelsMax?: number;
  /**
   * Most bytes of publications kept, `keptOverheadBytes` counted for each. Beyond it the channel that
   * was longest without a publication lets go of all it keeps; its position stays, as after `removeHistory`.
   */
  readonly historyBytesMax?: number;
  readonly idempotencyWindowMs?: number;
  /** Most idempotency keys remembered; beyond it the oldest are forgotten before their window ends. */
  readonly idempotencyKeysMax?: number;
  /** How long the top offset and the epoch of a channel outlive its last publication. */
  readonly historyMetaTtlMs?: number;
  /** Told, at most once a minute, what had to be forgotten before its time. */
  readonly log?: Log;
}

const channelsMaxDefault = 1_000_000;
const historyBytesMaxDefault = 512 * 1024 * 1024;
const idempotencyWindowMsDefault = 24 * 3_600_000;
const idempotencyKeysMaxDefault = 1_000_000;
const historyMetaTtlMsDefault = 30 * 24 * 3_600_000;

const sweepIntervalMs = 1_000;
/** Channels, and keys, one sweep looks at: about a millisecond of work. */
const sweepStepsMax = 4_096;
/** Channels with a subscriber that an eviction passes over before it takes one all the same. */
const secondChancesMax = 16;

/**
 * The log in this process's memory: nothing outlives it.
 *
 * Append and fan-out are one synchronous step of `publish`, so the order of calls is the order of the
 * log and of the deliveries (DEL-4). Reads make no state: a channel begins with its first
 * publication, and a name somebody only asks about costs nothing.
 */
export class MemoryBroker implements Broker {
  readonly #clock: Clock;
  readonly #channelsMax: number;
  readonly #historyBytesMax: number;
  readonly #historyMetaTtlMs: number;
  readonly #idempotencyWindowMs: number;
  readonly #idempotency: IdempotencyWindow;
  readonly #epochs: Epochs;
  /** In the order of their last publication, oldest first. */
  readonly #logs = new Map<string, ChannelLog>();
  /** Those that keep publications, and some that no longer do, in the same order. */
  readonly #keeping = new Set<ChannelLog>();
  readonly #kept: ByteMeter = { bytes: 0 };
  readonly #evictions: SeldomWarning;
  readonly #shrinkings: SeldomWarning;
  readonly #earlyKeys: SeldomWarning;
  readonly #subscribed = new Set<string>();
  #events: BrokerEvents | undefined;
  #sweepTimer: Timer | undefined;
  #sweepCursor: Iterator<[string, ChannelLog]> | undefined;
  #sweepLeft = 0;
  #isClosed = false;

  constructor(options: MemoryBrokerOptions) {
    this.#clock = options.clock;
    this.#channelsMax = options.channelsMax ?? channelsMaxDefault;
    this.#historyBytesMax = options.historyBytesMax ?? historyBytesMaxDefault;
    this.#historyMetaTtlMs = options.historyMetaTtlMs ?? historyMetaTtlMsDefault;
    this.#idempotencyWindowMs = options.idempotencyWindowMs ?? idempotencyWindowMsDefault;
    this.#idempotency = new IdempotencyWindow({
      windowMs: this.#idempotencyWindowMs,
      keysMax: options.idempotencyKeysMax ?? idempotencyKeysMaxDefault,
    });
    const warning = (): SeldomWarning => new SeldomWarning(options.clock, options.log);
    [this.#evictions, this.#shrinkings, this.#earlyKeys] = [warning(), warning(), warning()];
    this.#epochs = new Epochs(options.random.id());
  }

  async start(events: BrokerEvents): Promise<void> {
    this.#events = events;
  }

  async subscribe(channel: string): Promise<void> {
    this.#started();
    this.#subscribed.add(channel);
  }

  async unsubscribe(channel: string): Promise<void> {
    this.#started();
    this.#subscribed.delete(channel);
  }

  async publish(channel: string, draft: PublicationDraft, options: PublishOptions): Promise<PublishOutcome> {
    const events = this.#started();
    const atMs = this.#clock.monotonic();
    const { history, idempotencyKey, expected } = options;
    const first = idempotencyKey === undefined ? undefined : this.#idempotency.find(channel, idempotencyKey, atMs);
    if (first !== undefined) return outcome(first.position, true);
    if (expected !== undefined) this.#expectTop(channel, expected, history);

    const log = history === undefined ? undefined : this.#logForAppend(channel, atMs);
    const publication =
      log === undefined || history === undefined
        ? { ...draft, time: this.#clock.now() }
        : log.append(compactPayload(draft), this.#clock.now(), atMs, history);
    if (log !== undefined) this.#boundBytes(log);
    const position = log === undefined ? undefined : { offset: log.top, epoch: log.epoch };
    if (idempotencyKey !== undefined) this.#remember(channel, idempotencyKey, position, atMs);
    this.#armSweep();
    if (this.#subscribed.has(channel)) {
      const previousOffset = log === undefined ? 0 : log.top - 1;
      events.publication({ channel, publication, epoch: log?.epoch ?? '', previousOffset });
    }
    return outcome(position, false);
  }

  async history(channel: string, query: HistoryQuery): Promise<HistoryPage> {
    this.#started();
    const log = this.#logs.get(channel);
    if (log === undefined) return { publications: [], top: { offset: 0, epoch: this.#epochs.current } };
    return log.page(query, this.#clock.monotonic());
  }

  async removeHistory(channel: string): Promise<void> {
    this.#started();
    this.#logs.get(channel)?.clear();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#sweepTimer?.cancel();
    this.#logs.clear();
    this.#keeping.clear();
    this.#idempotency.clear();
    this.#subscribed.clear();
  }

  #started(): BrokerEvents {
    if (this.#isClosed) throw new Fault('broker', 'the broker is closed', { retryable: false });
    if (this.#events === undefined) throw new Fault('broker', 'the broker was not started', { retryable: false });
    return this.#events;
  }

  #expectTop(
    channel: string,
    expected: { offset: number; epoch: string },
    history: HistoryRetention | undefined,
  ): void {
    if (history === undefined) {
      throw new Fault('broker', 'an expected position needs a channel with history', { retryable: false });
    }
    const log = this.#logs.get(channel);
    const top = { offset: log?.top ?? 0, epoch: log?.epoch ?? this.#epochs.current };
    if (top.offset !== expected.offset || (expected.epoch !== '' && top.epoch !== expected.epoch)) {
      throw new PositionConflict(top);
    }
  }

  #logForAppend(channel: string, atMs: number): ChannelLog {
    let log = this.#logs.get(channel);
    if (log === undefined) {
      if (this.#logs.size >= this.#channelsMax) this.#evictOne();
      log = new ChannelLog(this.#epochs.life, this.#epochs.current, atMs, this.#kept);
    } else {
      this.#logs.delete(channel);
    }
    this.#logs.set(channel, log);
    return log;
  }

  /** The longest idle goes; one with a subscriber is put last instead, a bounded number of times. */
  #evictOne(): void {
    let chances = secondChancesMax;
    for (const [channel, log] of this.#logs) {
      if (chances-- > 0 && this.#subscribed.has(channel)) {
        this.#logs.delete(channel);
        this.#logs.set(channel, log);
        continue;
      }
      this.#forget(channel, log);
      const fields = { channelsMax: this.#channelsMax };
      this.#evictions.due(fields, 'too many channels with history: those longest without a publication are forgotten');
      return;
    }
  }

  /** After an append. The log just written stands last, and gives way only where nothing else is left to. */
  #boundBytes(latest: ChannelLog): void {
    this.#keeping.delete(latest);
    this.#keeping.add(latest);
    if (this.#kept.bytes <= this.#historyBytesMax) return;
    for (const log of this.#keeping) {
      if (log === latest || this.#kept.bytes <= this.#historyBytesMax) break;
      log.clear();
      this.#keeping.delete(log);
    }
    latest.shrink(this.#historyBytesMax);
    const fields = { historyBytesMax: this.#historyBytesMax };
    this.#shrinkings.due(fields, 'the memory for history is full: publications are forgotten before their time');
  }

  #remember(channel: string, key: string, position: PublishOutcome['position'], atMs: number): void {
    const ageMs = this.#idempotency.remember(channel, key, position, atMs);
    if (ageMs === undefined) return;
    const fields = { windowMs: Math.round(ageMs), configuredMs: this.#idempotencyWindowMs };
    this.#earlyKeys.due(fields, 'too many idempotency keys: the oldest are forgotten before their window ends');
  }

  /** The next life of the channel has another epoch (DEL-3). */
  #forget(channel: string, log: ChannelLog): void {
    this.#logs.delete(channel);
    this.#keeping.delete(log);
    log.clear();
    this.#epochs.forget(log.life);
  }

  /** One timer for all channels, and none while there is nothing to forget. */
  #armSweep(): void {
    if (this.#sweepTimer !== undefined || this.#isClosed) return;
    if (this.#logs.size === 0 && this.#idempotency.size === 0) return;
    this.#sweepTimer = this.#clock.after(sweepIntervalMs, () => {
      this.#sweepTimer = undefined;
      this.#sweep(this.#clock.monotonic());
      this.#armSweep();
    });
  }

  /** Reads never see what expired; the sweep gives its memory back. Goes on where the last one ended. */
  #sweep(atMs: number): void {
    this.#idempotency.expire(atMs, sweepStepsMax);
    for (let i = Math.min(sweepStepsMax, this.#logs.size); i > 0; i--) {
      const next = this.#nextToSweep();
      if (next === undefined) continue;
      const [channel, log] = next;
      log.expire(atMs);
      if (log.kept === 0) this.#keeping.delete(log);
      if (log.kept === 0 && atMs - log.lastAtMs >= this.#historyMetaTtlMs) this.#forget(channel, log);
    }
  }

  /** A round ends after as many as there were: each publish puts its channel last, and a cursor would chase them for ever. */
  #nextToSweep(): [string, ChannelLog] | undefined {
    if (this.#sweepCursor === undefined || this.#sweepLeft-- <= 0) {
      this.#sweepCursor = this.#logs.entries();
      this.#sweepLeft = this.#logs.size;
    }
    const next = this.#sweepCursor.next();
    if (next.done !== true) return next.value;
    this.#sweepCursor = undefined;
    return undefined;
  }
}

function outcome(position: PublishOutcome['position'], duplicate: boolean): PublishOutcome {
  return position === undefined ? { duplicate } : { position, duplicate };
}

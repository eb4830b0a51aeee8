import type { Publication } from '@tutti/protocol';
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
  type PublicationDraft,
  type PublishOptions,
  type PublishOutcome,
} from './broker.ts';
import { Epochs } from './epochs.ts';
import { decodePublication, encodeEnvelope } from './publication-envelope.ts';
import { LogLink, type Launch } from './sqlite-link.ts';
import {
  isFaultData,
  outcomeCodes,
  type FaultData,
  type Opened,
  type PublishWrite,
  type TurnDone,
} from './sqlite-messages.ts';
import { toPublishWrite } from './sqlite-write.ts';
import { SteadyTime } from './steady-time.ts';
import { TurnQueue, type SentTurn } from './turn-queue.ts';

export interface SqliteLogBrokerOptions {
  /** Made where it does not exist. One process at a time. */
  readonly dataDir: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly idempotencyWindowMs?: number;
  /** How long the top offset and the epoch of a channel outlive its last publication. */
  readonly historyMetaTtlMs?: number;
  /** Most bytes of publications waiting for their commit; beyond it a publish is refused. */
  readonly pendingBytesMax?: number;
  readonly log?: Log;
  readonly launch?: Launch;
}

const idempotencyWindowMsDefault = 24 * 3_600_000;
const historyMetaTtlMsDefault = 30 * 24 * 3_600_000;
const pendingBytesMaxDefault = 64 * 1024 * 1024;
const pendingReadsMax = 10_000;
const turnBounds = { turnWritesMax: 200, turnBytesMax: 4 * 1024 * 1024, turnReadsMax: 64 };
/** The second is sent while the first is at work, so that the worker does not wait for this side. */
const turnsInFlightMax = 2;
const sweepIntervalMs = 1_000;
/** After a thread that could not open the log. */
const relaunchDelayMs = 5_000;
/** What a waiting write costs beside its payload. */
const writeOverheadBytes = 512;

type State = 'new' | 'open' | 'lost' | 'closing' | 'closed';

/**
 * The log in SQLite: acknowledged and delivered after commit and sync (DEL-5).
 *
 * A worker thread owns the database; all decisions fall there, one transaction after the other, so
 * the order of calls is the order of the log (DEL-4). Commits are grouped by nature: what is
 * published while one is under way goes with the next. Live events are given here, in log order,
 * before the promises of their turn resolve. A thread that dies fails what waited for it; another is
 * started by the next call, or at once where a commit's outcome is unknown, because what that one
 * finds in the log may never have been delivered (`BrokerEvents.interrupted`).
 */
export class SqliteLogBroker implements Broker {
  readonly #options: SqliteLogBrokerOptions;
  readonly #time: SteadyTime;
  readonly #queue = new TurnQueue(turnBounds);
  readonly #inFlight: SentTurn[] = [];
  readonly #subscribed = new Set<string>();
  #inFlightBytes = 0;
  #state: State = 'new';
  #events: BrokerEvents | undefined;
  #link: LogLink | undefined;
  #epochs = new Epochs('');
  #sweepTimer: Timer | undefined;
  #isSweepDue = false;
  #isPumpSet = false;
  #hasOpened = false;
  /** This thread has opened the log. */
  #isLinkOpen = false;
  /** Something was sent to be written, and nobody knows whether it was. */
  #isUncertain = false;
  #relaunchTimer: Timer | undefined;
  #isRefusing = false;
  #opening: PromiseWithResolvers<void> | undefined;
  #closing: PromiseWithResolvers<void> | undefined;

  constructor(options: SqliteLogBrokerOptions) {
    this.#options = options;
    this.#time = new SteadyTime(options.clock);
  }

  async start(events: BrokerEvents): Promise<void> {
    if (this.#state !== 'new') throw fault('the log was started before', false);
    this.#events = events;
    this.#opening = Promise.withResolvers();
    this.#launch();
    await this.#opening.promise;
  }

  async subscribe(channel: string): Promise<void> {
    this.#mustAccept();
    this.#subscribed.add(channel);
  }

  async unsubscribe(channel: string): Promise<void> {
    this.#mustAccept();
    this.#subscribed.delete(channel);
  }

  async publish(channel: string, draft: PublicationDraft, options: PublishOptions): Promise<PublishOutcome> {
    this.#mustAccept();
    const atMs = this.#time.now();
    const shownMs = this.#time.jumped(atMs);
    const write = toPublishWrite(channel, draft, options, { atMs, envelope: encodeEnvelope(draft, shownMs) });
    const bytes = writeOverheadBytes + write.payloadBytes + (write.envelope?.length ?? 0) + channel.length;
    const { promise, resolve, reject } = Promise.withResolvers<PublishOutcome>();
    this.#mustFit(bytes);
    this.#queue.addWrite({
      write,
      data: draft.data,
      bytes,
      settle: (code, offset, life) => {
        const position = { offset, epoch: code === outcomeCodes.passed ? '' : this.#epochs.epochOf(life) };
        if (code === outcomeCodes.conflict) {
          reject(new PositionConflict(position));
          return;
        }
        try {
          this.#deliver(code, write, { ...draft, time: shownMs ?? atMs }, position);
        } finally {
          resolve(toOutcome(code, position));
        }
      },
      fail: (data) => reject(toFault(data)),
    });
    this.#pumpSoon();
    return promise;
  }

  async history(channel: string, query: HistoryQuery): Promise<HistoryPage> {
    this.#mustAccept();
    if (this.#queue.reads >= pendingReadsMax) throw fault('the log is overloaded with reads', true);
    const { promise, resolve, reject } = Promise.withResolvers<HistoryPage>();
    const { since, limit, bytesMax, reverse } = query;
    this.#queue.addRead({
      read: { channel, since: since?.offset ?? null, limit, bytesMax: bytesMax ?? null, reverse: reverse === true },
      settle: ({ top, life, rows }) => {
        const publications = rows.map((row) => decodePublication(...row));
        resolve({ publications, top: { offset: top, epoch: this.#epochs.epochOf(life) } });
      },
      fail: (data) => reject(toFault(data)),
    });
    this.#pumpSoon();
    return promise;
  }

  async removeHistory(channel: string): Promise<void> {
    this.#mustAccept();
    const bytes = writeOverheadBytes + channel.length;
    this.#mustFit(bytes);
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    this.#queue.addWrite({
      write: { kind: 'remove', channel },
      data: new Uint8Array(0),
      bytes,
      settle: () => resolve(undefined),
      fail: (data) => reject(toFault(data)),
    });
    this.#pumpSoon();
    await promise;
  }

  async close(): Promise<void> {
    this.#sweepTimer?.cancel();
    this.#relaunchTimer?.cancel();
    if (this.#state === 'new' || this.#state === 'lost') this.#state = 'closed';
    if (this.#state === 'closed') return;
    this.#state = 'closing';
    this.#closing ??= Promise.withResolvers();
    this.#pumpSoon();
    await this.#closing.promise;
  }

  #deliver(
    code: number,
    write: PublishWrite,
    publication: Publication,
    position: { offset: number; epoch: string },
  ): void {
    if (code !== outcomeCodes.appended && code !== outcomeCodes.passed) return;
    if (!this.#subscribed.has(write.channel)) return;
    if (code === outcomeCodes.appended) publication.offset = position.offset;
    const { epoch, offset } = position;
    this.#events?.publication({
      channel: write.channel,
      publication,
      epoch,
      previousOffset: code === outcomeCodes.appended ? offset - 1 : 0,
    });
  }

  #mustAccept(): void {
    if (this.#state === 'new') throw fault('the log was not started', false);
    if (this.#state === 'closing' || this.#state === 'closed') throw fault('the log is closed', false);
  }

  #mustFit(bytes: number): void {
    const bytesMax = this.#options.pendingBytesMax ?? pendingBytesMaxDefault;
    if (this.#queue.bytes + this.#inFlightBytes + bytes > bytesMax) throw fault('the log is overloaded', true);
  }

  /** At the end of this turn of the loop's microtasks, so that a burst of calls goes together. */
  #pumpSoon(): void {
    if (this.#isPumpSet) return;
    this.#isPumpSet = true;
    queueMicrotask(() => {
      this.#isPumpSet = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#state === 'lost' && !this.#queue.isEmpty) this.#launch();
    const link = this.#link;
    if (link === undefined) return;
    while (this.#maySend()) this.#send(link);
    const isIdle = this.#inFlight.length === 0 && this.#queue.isEmpty;
    if (isIdle && this.#state === 'closing') {
      this.#link = undefined; // it is told once
      link.send({ kind: 'close' });
    }
  }

  #maySend(): boolean {
    if (this.#inFlight.length === 0) return !this.#queue.isEmpty || (this.#isSweepDue && this.#state === 'open');
    return this.#inFlight.length < turnsInFlightMax && this.#queue.isFull;
  }

  #send(link: LogLink): void {
    const sent = this.#queue.take(this.#time.now(), this.#isSweepDue);
    this.#isSweepDue = false;
    this.#inFlight.push(sent);
    this.#inFlightBytes += bytesOf(sent);
    link.send(sent.turn);
  }

  #launch(): void {
    const { dataDir, random, idempotencyWindowMs, historyMetaTtlMs, launch } = this.#options;
    this.#relaunchTimer?.cancel();
    this.#state = 'open';
    this.#isLinkOpen = false;
    const start = {
      dataDir,
      generation: random.id(),
      idempotencyWindowMs: idempotencyWindowMs ?? idempotencyWindowMsDefault,
      channelMetaTtlMs: historyMetaTtlMs ?? historyMetaTtlMsDefault,
    };
    this.#link = new LogLink(
      start,
      {
        opened: (opened) => this.#opened(opened),
        done: (done) => this.#done(done),
        ended: (failure) => this.#ended(failure),
      },
      launch,
    );
  }

  #opened({ generation, isCopy }: Opened): void {
    this.#epochs = new Epochs(generation);
    if (isCopy) {
      const message = 'this data folder is a copy or was restored: all epochs change, subscribers load anew';
      this.#options.log?.warn({ dataDir: this.#options.dataDir }, message);
    }
    const isReturn = this.#hasOpened;
    this.#hasOpened = true;
    this.#isLinkOpen = true;
    this.#isUncertain = false;
    this.#armSweep();
    this.#opening?.resolve();
    if (!isReturn) return;
    this.#options.log?.info({ dataDir: this.#options.dataDir }, 'the log is open again');
    this.#events?.interrupted?.();
  }

  /** The worker's answer to the oldest turn. */
  #done(done: TurnDone): void {
    const sent = this.#inFlight.shift();
    if (sent === undefined) return;
    this.#inFlightBytes -= bytesOf(sent);
    const { outcomes, pages } = done;
    this.#noteRefusal(isFaultData(outcomes) ? outcomes : undefined, sent);
    sent.writes.forEach((write, i) => {
      if (isFaultData(outcomes)) write.fail(outcomes);
      else this.#settle(write, () => write.settle(outcomes[i * 3]!, outcomes[i * 3 + 1]!, outcomes[i * 3 + 2]!));
    });
    this.#queue.putBack(sent.reads.slice(pages.length));
    pages.forEach((page, i) => {
      const read = sent.reads[i]!;
      if (isFaultData(page)) read.fail(page);
      else this.#settle(read, () => read.settle(page));
    });
    if (done.sweepAgain) this.#isSweepDue = true;
    this.#pump();
  }

  /** What throws here is a bug of whom it was given to, and must not leave the others of its turn waiting. */
  #settle(pending: { fail(fault: FaultData): void }, settle: () => void): void {
    try {
      settle();
    } catch (error) {
      const message = `what the log answered could not be used: ${error instanceof Error ? error.message : String(error)}`;
      this.#options.log?.error({ dataDir: this.#options.dataDir, error }, message);
      pending.fail({ message, retryable: false });
    }
  }

  /** Said once when the log begins to refuse writes, and once when it takes them again. */
  #noteRefusal(refusal: FaultData | undefined, { writes }: SentTurn): void {
    if (writes.length === 0 || this.#isRefusing === (refusal !== undefined)) return;
    this.#isRefusing = refusal !== undefined;
    const fields = { dataDir: this.#options.dataDir };
    if (refusal === undefined) this.#options.log?.info(fields, 'the log accepts writes again');
    else this.#options.log?.error(fields, refusal.message);
  }

  #ended(failure: Fault | undefined): void {
    this.#link = undefined;
    this.#sweepTimer?.cancel();
    this.#sweepTimer = undefined;
    if (this.#isLinkOpen && this.#inFlight.some(({ writes }) => writes.length > 0)) this.#isUncertain = true;
    const waiting = [...this.#inFlight.flatMap(({ writes, reads }) => [...writes, ...reads]), ...this.#queue.takeAll()];
    this.#inFlight.length = 0;
    this.#inFlightBytes = 0;
    const data = failure ?? fault('the log is closed', false);
    for (const each of waiting) each.fail(data);
    if (failure !== undefined) {
      this.#options.log?.error({ dataDir: this.#options.dataDir, lost: waiting.length }, failure.message);
      this.#opening?.reject(failure);
    }
    // One that never opened stays closed: who starts the node is told why, and decides.
    const mayReturn = this.#state === 'open' && failure !== undefined && this.#hasOpened;
    this.#state = mayReturn ? 'lost' : 'closed';
    this.#settleClosing(failure);
    if (mayReturn && this.#isUncertain) this.#relaunch();
  }

  /** At once, unless the last one could not even open the log. */
  #relaunch(): void {
    if (this.#isLinkOpen) {
      this.#launch();
      return;
    }
    this.#relaunchTimer = this.#options.clock.after(relaunchDelayMs, () => {
      if (this.#state === 'lost') this.#launch();
    });
  }

  #settleClosing(failure: Fault | undefined): void {
    if (failure === undefined) this.#closing?.resolve();
    else this.#closing?.reject(failure);
  }

  #armSweep(): void {
    this.#sweepTimer?.cancel();
    this.#sweepTimer = this.#options.clock.after(sweepIntervalMs, () => {
      this.#isSweepDue = true;
      this.#pump();
      this.#armSweep();
    });
  }
}

function bytesOf(sent: SentTurn): number {
  return sent.writes.reduce((sum, { bytes }) => sum + bytes, 0);
}

function toOutcome(code: number, position: { offset: number; epoch: string }): PublishOutcome {
  if (code === outcomeCodes.appended) return { position, duplicate: false };
  if (code === outcomeCodes.duplicate) return { position, duplicate: true };
  return { duplicate: code === outcomeCodes.duplicatePassed };
}

function fault(message: string, retryable: boolean): Fault {
  return new Fault('broker', message, { retryable });
}

function toFault({ message, retryable }: FaultData): Fault {
  return fault(message, retryable);
}

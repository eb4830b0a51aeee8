import type { Webhook } from '../config/webhook.ts';
import type { Clock, Timer } from '../core/clock.ts';
import type { Random } from '../core/random.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { DeadLetters, DeathReason } from './dead-letters.ts';
import { EventQueue, type QueuedEvent } from './event-queue.ts';
import type { Spool } from './spool.ts';
import type { Outcome } from './webhook-client.ts';

export interface DeliveryOptions {
  readonly webhook: Pick<Webhook, 'name' | 'batchMax' | 'batchDelayMs'>;
  /** Of events that wait. */
  readonly queueBytesMax: number;
  /** While it fails, an event is offered for so long. */
  readonly retryTimeMs: number;
}

export interface DeliverySeams {
  readonly clock: Clock;
  readonly random: Random;
  readonly telemetry: Telemetry;
  readonly spool: Spool;
  readonly deadLetters: DeadLetters;
  /** One request with these events. Never rejects. */
  readonly send: (lines: readonly Uint8Array[]) => Promise<Outcome>;
}

/** Bytes of one request; a single event may be larger. Signing and joining stay short on the loop (S22). */
const bodyBytesMax = 64 * 1024;
const backoffMinMs = 500;
const backoffMaxMs = 30_000;
/** Lines in the log about one webhook that overflows. */
const overflowLogMs = 10_000;

/**
 * Brings events to one webhook: in order, in batches, one request at a time, each event at least once.
 *
 * A batch is the oldest events there are, `batchMax` of them at most; it goes when it is full, or when
 * its first has waited `batchDelayMs`. One that fails is offered again after full-jitter back-off. `offer`
 * only keeps: it neither waits nor sends.
 *
 * Each event ends in one of three ways, and is counted: delivered; dead, in the file of dead letters
 * (the queue was full, it was offered for too long, or the receiver refused the batch itself); or left
 * in the spool, for the next start.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #seams: DeliverySeams;
  readonly #queue = new EventQueue();
  #timer: Timer | undefined;
  #armedMs = 0;
  #isDelivering = false;
  #isClosing = false;
  #isAborted = false;
  #failures = 0;
  #failingSinceMs = 0;
  /** Ends the back-off that is under way. */
  #stopWaiting: (() => void) | undefined;
  #idle: (() => void) | undefined;
  #loggedOverflowMs = -Infinity;
  #overflowed = 0;

  constructor(options: DeliveryOptions, seams: DeliverySeams) {
    this.#options = options;
    this.#seams = seams;
  }

  /** Events that wait, their bytes, and how long the oldest has been waiting. */
  get figures(): { events: number; bytes: number; oldestMs: number } {
    const { oldest, length: events, bytes } = this.#queue;
    return { events, bytes, oldestMs: oldest === undefined ? 0 : this.#seams.clock.monotonic() - oldest.atMs };
  }

  /** Takes up what an earlier process left. Never rejects. */
  async start(): Promise<void> {
    const { spool, clock, telemetry } = this.#seams;
    const lines = await spool.load();
    for (const line of lines) this.#queue.push({ line, atMs: clock.monotonic() });
    if (lines.length === 0) return;
    telemetry.log.info({ webhook: this.#name, events: lines.length }, 'events of before the start are delivered');
    this.#evict();
    this.#arm(0);
  }

  /** Never throws, never waits. */
  offer(line: Uint8Array): void {
    const { clock, spool, telemetry } = this.#seams;
    telemetry.count('webhook_events', 1, this.#name);
    this.#queue.push({ line, atMs: clock.monotonic() });
    spool.add(line);
    this.#evict();
    this.#arm(this.#isFull && !this.#isDelivering ? 0 : this.#options.webhook.batchDelayMs);
  }

  /** Goes on for so long at most, while requests succeed; the rest stays in the spool. Never rejects. */
  async close(withinMs: number): Promise<void> {
    this.#isClosing = true;
    this.#timer?.cancel();
    this.#stopWaiting?.();
    const idle = new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
    const deadline = this.#seams.clock.after(withinMs, () => {
      this.#isAborted = true;
      this.#idle?.();
    });
    if (withinMs > 0) this.#deliver();
    else this.#isAborted = true;
    if (this.#isDelivering && !this.#isAborted) await idle;
    deadline.cancel();
    this.#isAborted = true;
    await this.#leave();
  }

  get #name(): string {
    return this.#options.webhook.name;
  }

  get #isFull(): boolean {
    return this.#queue.length >= this.#options.webhook.batchMax || this.#queue.bytes >= bodyBytesMax;
  }

  /** Flushes the spool and sends, `ms` from now. One timer: it may be brought forward, never put off. */
  #arm(ms: number): void {
    if (this.#isClosing || (this.#timer !== undefined && ms >= this.#armedMs)) return;
    this.#timer?.cancel();
    this.#armedMs = ms;
    this.#timer = this.#seams.clock.after(ms, () => {
      this.#timer = undefined;
      void this.#seams.spool.flush();
      this.#deliver();
    });
  }

  #deliver(): void {
    if (this.#isDelivering || this.#queue.length === 0) return;
    this.#isDelivering = true;
    void this.#run().finally(() => {
      this.#isDelivering = false;
      this.#idle?.();
      if (this.#queue.length > 0) this.#arm(this.#isFull ? 0 : this.#options.webhook.batchDelayMs);
      // An empty queue leaves no file behind.
      else void this.#seams.spool.flush();
    });
  }

  async #run(): Promise<void> {
    do {
      const batch = this.#queue.peek(this.#options.webhook.batchMax, bodyBytesMax);
      const last = this.#queue.firstNumber + batch.length - 1;
      const outcome = await this.#seams.send(batch.map(({ line }) => line));
      // Too late: what is left was counted as left.
      if (this.#isAborted) return;
      if (outcome.isDelivered) this.#delivered(last);
      else if (!(await this.#failed(outcome, last))) return;
      void this.#seams.spool.flush();
    } while (this.#queue.length > 0 && (this.#isFull || this.#failures > 0 || this.#isClosing));
  }

  #delivered(last: number): void {
    const { telemetry } = this.#seams;
    telemetry.count('webhook_requests', 1, 'delivered');
    telemetry.count('webhook_events_delivered', this.#remove(last).length, this.#name);
    if (this.#failures > 0)
      telemetry.log.info({ webhook: this.#name, failures: this.#failures }, 'webhook works again');
    this.#failures = 0;
  }

  /** Resolves when it may be tried again; false: no more, the node is stopping. */
  async #failed(outcome: Extract<Outcome, { isDelivered: false }>, last: number): Promise<boolean> {
    const { telemetry, clock, random } = this.#seams;
    const { reason, detail, isFinal, retryAfterMs = 0 } = outcome;
    telemetry.count('webhook_requests', 1, reason);
    if (isFinal) {
      this.#die(this.#remove(last), 'refused');
      telemetry.log.error({ webhook: this.#name, detail }, 'webhook refused a batch; its events are dead letters');
      return !this.#isClosing;
    }
    if (this.#failures === 0) {
      this.#failingSinceMs = clock.monotonic();
      telemetry.log.warn({ webhook: this.#name, reason, detail }, 'webhook failed; it is tried again');
    }
    this.#failures += 1;
    this.#giveUp();
    if (this.#isClosing) return false;
    const spreadMs = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(this.#failures - 1, 16));
    await this.#wait(Math.max(retryAfterMs, random.next() * spreadMs));
    return !this.#isAborted;
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#seams.clock.after(ms, resolve);
      this.#stopWaiting = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** One failure after a long success gives up nothing: it must have failed, and the event waited, for the whole time. */
  #giveUp(): void {
    const { clock, telemetry } = this.#seams;
    const sinceMs = clock.monotonic() - this.#options.retryTimeMs;
    if (this.#failingSinceMs > sinceMs) return;
    const given: QueuedEvent[] = [];
    while ((this.#queue.oldest?.atMs ?? Infinity) <= sinceMs) {
      const event = this.#shift();
      if (event !== undefined) given.push(event);
    }
    if (given.length === 0) return;
    this.#die(given, 'gave_up');
    telemetry.log.error(
      { webhook: this.#name, events: given.length, failures: this.#failures },
      'webhook has failed for too long; events are dead letters',
    );
  }

  /** The oldest make room: a receiver that is behind is told what is new. */
  #evict(): void {
    if (this.#queue.bytes <= this.#options.queueBytesMax) return;
    const evicted: QueuedEvent[] = [];
    while (this.#queue.bytes > this.#options.queueBytesMax) {
      const event = this.#shift();
      if (event === undefined) break;
      evicted.push(event);
    }
    this.#die(evicted, 'overflow');
    this.#overflowed += evicted.length;
    const now = this.#seams.clock.monotonic();
    if (now - this.#loggedOverflowMs < overflowLogMs) return;
    this.#loggedOverflowMs = now;
    const fields = { webhook: this.#name, events: this.#overflowed, queueBytesMax: this.#options.queueBytesMax };
    this.#seams.telemetry.log.error(fields, 'webhook is too far behind; its oldest events are dead letters');
    this.#overflowed = 0;
  }

  #die(events: readonly QueuedEvent[], reason: DeathReason): void {
    this.#seams.telemetry.count('webhook_events_dead', events.length, reason);
    const lines = events.map(({ line }) => line);
    this.#seams.deadLetters.add(lines, reason, this.#seams.clock.now());
  }

  /** Everything up to the event of this number; some of it may be gone already. */
  #remove(last: number): QueuedEvent[] {
    const removed: QueuedEvent[] = [];
    while (this.#queue.firstNumber <= last) {
      const event = this.#shift();
      if (event === undefined) break;
      removed.push(event);
    }
    return removed;
  }

  #shift(): QueuedEvent | undefined {
    const event = this.#queue.shift();
    if (event !== undefined) this.#seams.spool.remove(1);
    return event;
  }

  async #leave(): Promise<void> {
    const { spool, deadLetters, telemetry } = this.#seams;
    await spool.flush();
    if (this.#queue.length > 0 && spool.isWorking) {
      telemetry.log.warn({ webhook: this.#name, events: this.#queue.length }, 'events stay for the next start');
    } else if (this.#queue.length > 0) {
      this.#die(this.#queue.peek(Infinity, Infinity), 'gave_up');
    }
    await deadLetters.settled();
  }
}

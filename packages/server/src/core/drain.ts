import { disconnects, type DisconnectKind } from '@tutti/protocol';
import type { Clock } from './clock.ts';
import type { Random } from './random.ts';

/** A session, as far as ending it goes. */
export interface Drainable {
  /**
   * Acts on no further command, and ends once those under way are answered: what is acknowledged is
   * never taken back, and what is not stays the client's to repeat.
   */
  retire(kind: DisconnectKind): void;
  /** Ends at once. Idempotent. */
  disconnect(kind: DisconnectKind): void;
}

export interface DrainOptions {
  /** Time to close all in. 0: at once. */
  readonly overMs: number;
  /** Called at the start, about once a second, and at the end. Never throws. */
  readonly onProgress?: (progress: DrainProgress) => void;
}

export interface DrainProgress {
  /** When the drain began. */
  readonly connections: number;
  readonly left: number;
  readonly perSecondMax: number;
}

export interface DrainReport {
  readonly connections: number;
  /** Closed before all their commands were answered, because the answers took too long. */
  readonly cut: number;
  readonly tookMs: number;
}

/** Few connections need not take the whole time: nobody waits for a storm of fewer than this. */
const perSecondMin = 100;
const waveMs = 100;
/** For commands under way, such as a commit of the log. */
const answersMs = 5_000;
const progressMs = 1_000;
/** Everybody is sent away with a hint of their own, so that those of one wave do not return in one (CON-3). */
const returnMinMs = 500;
const returnSpreadMs = 2_000;

/** Why a node that stops ends a connection, with the least time to stay away (docs/decisions/0003). */
export function shutdownKind(random: Random): DisconnectKind {
  const retryMs = Math.round(returnMinMs + random.next() * returnSpreadMs);
  return { ...disconnects.shutdown, reason: `${disconnects.shutdown.reason}; retry=${retryMs}` };
}

/**
 * Closes the connections of a node in random order, in small waves spread over the drain time (CON-3).
 *
 * Never more in a second than planned at the start: a node that stalls in between does not catch up,
 * it takes longer. Random, because those who came together (one office, one proxy) would leave together.
 */
export class Drain<Session extends Drainable> {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #options: DrainOptions;
  readonly #queue: Session[];
  readonly #open: Set<Session>;
  /** Those who wait for their last answers, and until when; soonest first. */
  readonly #retiring = new Map<Session, number>();
  readonly #connections: number;
  readonly #perSecond: number;
  readonly #startedMs: number;
  #credit: number;
  #waveAtMs: number;
  #progressAtMs = -Infinity;
  #cut = 0;
  #finish: (report: DrainReport) => void = () => undefined;

  constructor(sessions: Iterable<Session>, options: DrainOptions, seams: { clock: Clock; random: Random }) {
    this.#clock = seams.clock;
    this.#random = seams.random;
    this.#options = options;
    this.#queue = [...sessions];
    this.#open = new Set(this.#queue);
    this.#connections = this.#queue.length;
    this.#perSecond =
      options.overMs <= 0 ? Infinity : Math.max(perSecondMin, (this.#connections * 1_000) / options.overMs);
    this.#startedMs = seams.clock.monotonic();
    this.#waveAtMs = this.#startedMs;
    this.#credit = this.#waveSize();
  }

  get progress(): DrainProgress {
    return { connections: this.#connections, left: this.#open.size, perSecondMax: Math.ceil(this.#perSecond) };
  }

  /** Called once. Resolves when no connection is left. */
  run(): Promise<DrainReport> {
    return new Promise((resolve) => {
      this.#finish = resolve;
      this.#wave();
    });
  }

  /** A session is gone, whoever ended it. */
  ended(session: Session): void {
    this.#open.delete(session);
    this.#retiring.delete(session);
  }

  #wave(): void {
    const nowMs = this.#clock.monotonic();
    this.#earn(nowMs);
    while (this.#credit >= 1 && this.#queue.length > 0) {
      const session = this.#pick();
      if (!this.#open.has(session)) continue;
      this.#credit -= 1;
      this.#close(session, nowMs);
    }
    this.#cutOverdue(nowMs);
    this.#tell(nowMs);
    if (this.#open.size === 0) {
      this.#finish({ connections: this.#connections, cut: this.#cut, tookMs: nowMs - this.#startedMs });
      return;
    }
    this.#clock.after(waveMs, () => {
      this.#wave();
    });
  }

  #earn(nowMs: number): void {
    const earned = this.#perSecond * ((nowMs - this.#waveAtMs) / 1_000);
    this.#waveAtMs = nowMs;
    // Two waves at once make up for a late timer; more would be the storm that waves are to prevent.
    this.#credit = Number.isFinite(this.#perSecond) ? Math.min(this.#credit + earned, 2 * this.#waveSize()) : Infinity;
  }

  #waveSize(): number {
    return (this.#perSecond * waveMs) / 1_000;
  }

  /** Any one of those left, at no cost: the last takes its place. */
  #pick(): Session {
    const at = Math.floor(this.#random.next() * this.#queue.length);
    const session = this.#queue[at]!;
    this.#queue[at] = this.#queue.at(-1)!;
    this.#queue.pop();
    return session;
  }

  #close(session: Session, nowMs: number): void {
    const kind = shutdownKind(this.#random);
    this.#retiring.set(session, nowMs + answersMs);
    session.retire(kind);
  }

  #cutOverdue(nowMs: number): void {
    for (const [session, dueMs] of this.#retiring) {
      if (dueMs > nowMs) return;
      this.#retiring.delete(session);
      this.#cut += 1;
      session.disconnect(shutdownKind(this.#random));
    }
  }

  #tell(nowMs: number): void {
    const isLast = this.#open.size === 0;
    if (!isLast && nowMs - this.#progressAtMs < progressMs) return;
    this.#progressAtMs = nowMs;
    this.#options.onProgress?.(this.progress);
  }
}

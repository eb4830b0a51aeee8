import { Rejection } from '@tutti/protocol';
import type { Clock } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import {
  laterOf,
  listIsFull,
  revocationPageMax,
  type Revocation,
  type RevocationList,
  type RevocationListEvents,
  type RevocationPage,
} from '../revocation-list.ts';
import { decodeEntry, encodeEntry, hashOf } from './entry.ts';
import {
  RevocationStream,
  type RevocationNames,
  type RevocationNats,
  type RevocationStreamConfig,
  type StoredEntry,
} from './revocation-stream.ts';

export interface NatsRevocationListOptions {
  /** Closed by whoever closes the broker. */
  readonly nats: RevocationNats;
  readonly names: RevocationNames;
  /** Makes the stream, or adjusts it. Throws `Fault`. */
  readonly ensureStream: (wanted: RevocationStreamConfig) => Promise<unknown>;
  readonly clock: Clock;
  /** Most entries. */
  readonly revocationsMax: number;
  /** How long an entry outlives its end: the clock of the node that appended it may be ahead of the others'. */
  readonly expiryGraceMs?: number;
  readonly log?: Log;
}

const expiryGraceMsDefault = 5 * 60_000;
/** What ends later is kept for ever: NATS counts in nanoseconds, and 292 years of them are all it can count. */
const ttlMsMax = 10 * 365 * 24 * 3_600_000;
const appendMsMax = 10_000;
const readMsMax = 4_000;
const retryDelayMs = 50;
const waitingMax = 10_000;

/**
 * The list in a stream of JetStream, one for all nodes: with as many copies as the channels have.
 *
 * An entry is appended only behind the newest of the whole list (expected last sequence), so the bound holds and the later of
 * two times wins, however many nodes append at once. NATS itself removes what has expired.
 *
 * A version is `LIFE.VIEW.SEQUENCE`. The view is this process's own: after a reconnect or the election of a leader
 * the stream may have lost its end, and numbers may come again; everything is then read anew.
 */
export class NatsRevocationList implements RevocationList {
  readonly #options: NatsRevocationListOptions;
  readonly #stream: RevocationStream;
  #isOpen = false;
  #view = 0;
  #waiting = 0;
  #turn: Promise<unknown> = Promise.resolve();
  /** Undefined: not known. The count is that or less. */
  #end: { readonly sequence: number; readonly count: number } | undefined;
  #events: RevocationListEvents = { changed: () => undefined };

  constructor(options: NatsRevocationListOptions) {
    const { nats, names, ensureStream, clock } = options;
    this.#options = options;
    this.#stream = new RevocationStream({ nats, names, ensureStream, clock });
  }

  /** Where NATS is not there, the node starts all the same; calls fail with a retryable `Fault` until it is. */
  async start(events: RevocationListEvents): Promise<void> {
    const { nats, log } = this.#options;
    this.#events = events;
    this.#isOpen = true;
    await nats.start();
    if (nats.isUp) {
      await this.#stream.ensure().catch((error: unknown) => {
        if (error instanceof Fault && !error.retryable) throw error;
        log?.warn({ seam: 'revocation', reason: reasonOf(error) }, 'the revocations are not there yet; trying again');
      });
    }
    this.#listen(nats.isUp);
    // Broken meanwhile: it is told when it is up again.
    if (nats.isUp) await nats.guard(nats.connection.flush()).catch(() => undefined);
  }

  async append(revocation: Revocation): Promise<void> {
    const { clock, nats, names } = this.#options;
    if (this.#waiting >= waitingMax) throw unreached(new Error('too many are waiting to be kept'), true);
    const deadlineMs = clock.monotonic() + appendMsMax;
    this.#waiting += 1;
    // One after the other: each stands behind the one before.
    const appended = this.#turn.then(() => this.#append(revocation, deadlineMs));
    this.#turn = appended.catch(() => undefined);
    try {
      await appended;
    } finally {
      this.#waiting -= 1;
    }
    if (nats.isUp) nats.connection.publish(names.hints);
    this.#events.changed();
  }

  async readSince(version: string): Promise<RevocationPage> {
    const view = this.#view;
    try {
      const { life, sequence: top } = await this.#stream.state();
      const name = `${life}.${view}`;
      const number = version.startsWith(`${name}.`) ? version.slice(name.length + 1) : '';
      const since = /^\d{1,15}$/.test(number) && Number(number) <= top ? Number(number) : 0;
      const { entries, last } = await this.#read(since, top);
      const hasMore = entries.length === revocationPageMax && last < top;
      return { revocations: this.#decoded(entries), version: `${name}.${last}`, hasMore };
    } catch (cause) {
      throw unreached(cause);
    }
  }

  close(): Promise<void> {
    this.#isOpen = false;
    return Promise.resolve();
  }

  #listen(wasUp: boolean): void {
    const { nats, names } = this.#options;
    const changed = (): void => {
      if (this.#isOpen) this.#events.changed();
    };
    const doubt = (): void => {
      this.#view += 1;
      this.#end = undefined;
      this.#stream.forget();
      changed();
    };
    nats.subscribe(names.hints, changed);
    nats.subscribe(`$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.${names.stream}`, doubt);
    let isFirst = wasUp;
    nats.onUp(() => {
      if (!isFirst) doubt();
      isFirst = false;
    });
  }

  async #append(revocation: Revocation, deadlineMs: number): Promise<void> {
    const { clock, nats } = this.#options;
    for (;;) {
      try {
        if (await this.#tryAppend(revocation)) return;
        if (clock.monotonic() >= deadlineMs) throw unreached(new Error('too many nodes revoke at once'), true);
      } catch (error) {
        this.#end = undefined;
        const isFinal = error instanceof Rejection || (error instanceof Fault && !error.retryable);
        if (error instanceof Rejection) throw error;
        if (isFinal || !nats.isUp || clock.monotonic() + retryDelayMs >= deadlineMs) throw unreached(error);
        await this.#pause();
      }
    }
  }

  /** False: another node was quicker. */
  async #tryAppend(revocation: Revocation): Promise<boolean> {
    const { names, clock, revocationsMax, expiryGraceMs = expiryGraceMsDefault } = this.#options;
    const isFresh = this.#end === undefined;
    const { sequence, count } = (this.#end ??= await this.#stream.state());
    const subject = names.entry(hashOf(revocation));
    const found = await this.#stream.newest(subject);
    if (found === undefined && count >= revocationsMax) {
      this.#end = undefined;
      // Some may have expired since they were counted.
      if (isFresh) throw listIsFull(revocationsMax);
      return false;
    }
    const entry = laterOf(found === undefined ? undefined : decodeEntry(found.data), revocation);
    const ttlMs = entry.expiresAtMs === undefined ? Infinity : entry.expiresAtMs - clock.now() + expiryGraceMs;
    const ttlSeconds = ttlMs > ttlMsMax ? undefined : Math.max(1, Math.ceil(ttlMs / 1_000));
    const appended = await this.#stream.put(subject, encodeEntry(entry), sequence, ttlSeconds);
    this.#end =
      appended === undefined ? undefined : { sequence: appended, count: count + (found === undefined ? 1 : 0) };
    return appended !== undefined;
  }

  /** A page, and up to where it says all. */
  async #read(since: number, top: number): Promise<{ entries: readonly StoredEntry[]; last: number }> {
    const { clock } = this.#options;
    const deadlineMs = clock.monotonic() + readMsMax;
    if (since >= top) return { entries: [], last: since };
    for (;;) {
      const entries = await this.#stream.page(since + 1, revocationPageMax);
      const last = entries.at(-1)?.sequence ?? since;
      if (last >= top || entries.length === revocationPageMax) return { entries, last };
      // The newest may have expired; or else this copy lags behind the leader.
      const next = await this.#stream.next(last + 1);
      if (next === undefined || next.sequence > top) return { entries, last: top };
      if (clock.monotonic() + retryDelayMs >= deadlineMs) throw new Error('the copies do not agree on what is in it');
      await this.#pause();
    }
  }

  #decoded(entries: readonly StoredEntry[]): Revocation[] {
    const revocations: Revocation[] = [];
    for (const { sequence, data } of entries) {
      const revocation = decodeEntry(data);
      if (revocation !== undefined) revocations.push(revocation);
      else this.#options.log?.warn({ seam: 'revocation', sequence }, 'something in NATS is no revocation of Tutti');
    }
    return revocations;
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.after(retryDelayMs, resolve);
    });
  }
}

function unreached(cause: unknown, isTemporary = !(cause instanceof Fault) || cause.retryable): Fault {
  const message = `the revocations could not be reached: ${reasonOf(cause)}`;
  return new Fault('revocation', message, { retryable: isTemporary, cause });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

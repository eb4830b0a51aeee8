import { seenChangesMax, userKey, type LastSeen, type SeenChange, type UserName } from '../last-seen/last-seen.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Clock, Timer } from './clock.ts';
import type { Fault } from './fault.ts';

export interface SeenUsersOptions {
  readonly store: LastSeen;
  /** Of this process: one that is started again is another. */
  readonly node: string;
  /** The store forgets what was not written again for so long. */
  readonly ttlMs: number;
  /** The store is told at least that often that this node lives: what a kill makes of the moment (PRE-2). */
  readonly aliveEveryMs: number;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

/** What this node knows of a user without asking the store. */
export interface SeenHere {
  readonly isHere: boolean;
  /** When the user left, where the store may not know it yet. Milliseconds since 1970. */
  readonly leftAtMs?: number;
}

interface HereUser extends UserName {
  connections: number;
  /** The store has that the user is here, since then on our watch; absent: not yet. */
  keptAtMs?: number;
}

type Waiting = SeenChange & {
  /** Of one that left: the store has that the user is here. */
  readonly wasKept: boolean;
};

/** A page that is loaded anew within it costs no write, nor do those who come or go together cost one each. */
const writeAfterMs = 1_000;
const retryAfterMs = 5_000;
/** Users that wait to be written while the store does not take them. Of more, those that waited longest are lost, and counted. */
export const seenWaitingMax = 100_000;
/** Who stays is written again that often: a store that lost something has it again, and does not forget who was written long ago. */
const renewAfterMs = 3_600_000;
/** Users written again at once. */
const renewedMax = 2_000;
const closeMsMax = 5_000;

/**
 * The users of this node, and what the store was not told of them yet. What waits is coalesced by user: who came and
 * went many times since the last write is one change, or none.
 */
export class SeenUsers {
  readonly #options: SeenUsersOptions;
  readonly #here = new Map<string, HereUser>();
  /** Those first that waited longest, or were tried longest ago. */
  readonly #waiting = new Map<string, Waiting>();
  /** What the store is being told now. */
  #inFlight = new Map<string, Waiting>();
  #writing: Promise<boolean> | undefined;
  #writeTimer: Timer | undefined;
  #aliveTimer: Timer | undefined;
  #aliveAtMs = 0;
  #isFailing = false;
  #isClosed = false;

  constructor(options: SeenUsersOptions) {
    this.#options = options;
  }

  /** Throws `Fault` where waiting does not help. */
  async start(): Promise<void> {
    await this.#options.store.start();
    this.#scheduleAlive();
  }

  /** Writes what waits, for a while; then nothing is kept any more. After the last connection. */
  async close(): Promise<void> {
    this.#aliveTimer?.cancel();
    this.#writeTimer?.cancel();
    this.#isClosed = true;
    const timeUp = Promise.withResolvers<boolean>();
    const timer = this.#options.clock.after(closeMsMax, () => timeUp.resolve(false));
    const within = (written: Promise<boolean> | undefined): Promise<boolean | undefined> =>
      Promise.race([written, timeUp.promise]);
    await within(this.#writing);
    while (this.#waiting.size > 0 && (await within(this.#write())) === true);
    timer.cancel();
    if (this.#waiting.size > 0) this.#lose(this.#waiting.size);
    await this.#options.store.close();
  }

  /** Users that the store was not told of yet. */
  get waiting(): number {
    return this.#waiting.size + this.#inFlight.size;
  }

  /** A connection of the user is open. Nobody keeps those without a name. */
  came({ tenant = '', user }: { readonly tenant?: string; readonly user: string }): void {
    if (user === '') return;
    const key = userKey({ tenant, user });
    const known = this.#here.get(key);
    if (known !== undefined) {
      known.connections += 1;
      return;
    }
    const here: HereUser = { tenant, user, connections: 1 };
    this.#here.set(key, here);
    const waiting = this.#waiting.get(key);
    if (waiting?.isHere === false && waiting.wasKept) {
      this.#waiting.delete(key);
      here.keptAtMs = this.#options.clock.monotonic();
    } else this.#wait(key, { tenant, user, isHere: true, atMs: this.#options.clock.now(), wasKept: false });
  }

  /** One of them ended. */
  left({ tenant = '', user }: { readonly tenant?: string; readonly user: string }): void {
    const key = userKey({ tenant, user });
    const here = this.#here.get(key);
    if (here === undefined) return;
    here.connections -= 1;
    if (here.connections > 0) return;
    this.#here.delete(key);
    const wasKept = here.keptAtMs !== undefined;
    this.#wait(key, { tenant, user, isHere: false, atMs: this.#options.clock.now(), wasKept });
  }

  seen(user: UserName): SeenHere {
    const key = userKey(user);
    if (this.#here.has(key)) return { isHere: true };
    const told = this.#waiting.get(key) ?? this.#inFlight.get(key);
    return told === undefined ? { isHere: false } : { isHere: false, leftAtMs: told.atMs };
  }

  /** Resolves when nothing of what the user did until now will be written any more. Who is here will be written anew. */
  async forget(user: UserName): Promise<void> {
    const key = userKey(user);
    this.#waiting.delete(key);
    if (!this.#inFlight.delete(key)) return;
    await this.#writing;
  }

  #wait(key: string, change: Waiting): void {
    this.#waiting.delete(key);
    this.#waiting.set(key, change);
    if (this.#waiting.size > seenWaitingMax) {
      for (const oldest of this.#waiting.keys()) {
        this.#waiting.delete(oldest);
        break;
      }
      this.#lose(1);
    }
    this.#writeSoon(writeAfterMs);
  }

  #lose(count: number): void {
    this.#options.telemetry.count('last_seen_lost', count);
  }

  #writeSoon(ms: number): void {
    if (this.#isClosed || this.#writing !== undefined) return;
    this.#writeTimer ??= this.#options.clock.after(ms, () => {
      void this.#write();
    });
  }

  /** One at a time; resolves to whether all went well. Never rejects. */
  #write(): Promise<boolean> {
    this.#writeTimer?.cancel();
    this.#writeTimer = undefined;
    this.#writing ??= this.#writeWaiting().finally(() => {
      this.#writing = undefined;
      if (this.#waiting.size > 0) this.#writeSoon(this.#isFailing ? retryAfterMs : writeAfterMs);
    });
    return this.#writing;
  }

  /** All that waits now, a batch after the other; with nothing waiting, that this node lives. */
  async #writeWaiting(): Promise<boolean> {
    let left = this.#waiting.size;
    do {
      const batch = this.#take();
      left -= batch.size;
      if (!(await this.#writeBatch(batch))) return false;
    } while (left > 0 && this.#waiting.size > 0);
    return true;
  }

  #take(): Map<string, Waiting> {
    const batch = new Map<string, Waiting>();
    for (const [key, change] of this.#waiting) {
      if (batch.size === seenChangesMax) break;
      batch.set(key, change);
      this.#waiting.delete(key);
    }
    return batch;
  }

  async #writeBatch(batch: Map<string, Waiting>): Promise<boolean> {
    const { store, node, clock, telemetry } = this.#options;
    // A clock that was set back must not make this node seem dead.
    this.#aliveAtMs = Math.max(this.#aliveAtMs, clock.now());
    this.#inFlight = batch;
    const changes = [...batch.values()].map(({ wasKept: _, ...change }) => change);
    try {
      await store.write({ node, aliveAtMs: this.#aliveAtMs, changes });
      telemetry.count('last_seen_written', changes.length);
      this.#note(batch);
      this.#noteFailure(undefined);
      return true;
    } catch (error) {
      this.#putBack(batch);
      this.#noteFailure(error as Fault);
      return false;
    } finally {
      this.#inFlight = new Map();
    }
  }

  #note(batch: ReadonlyMap<string, Waiting>): void {
    const nowMs = this.#options.clock.monotonic();
    for (const [key, { isHere }] of batch) {
      const here = this.#here.get(key);
      if (isHere && here !== undefined) here.keptAtMs = nowMs;
      // Came and left again meanwhile: the store has it that the user is here.
      const waiting = this.#waiting.get(key);
      if (isHere && waiting?.isHere === false) this.#waiting.set(key, { ...waiting, wasKept: true });
    }
  }

  /** But for those of whom there is later news. */
  #putBack(batch: ReadonlyMap<string, Waiting>): void {
    for (const [key, change] of batch) {
      if (!this.#waiting.has(key) && change.isHere === this.#here.has(key)) this.#wait(key, change);
    }
  }

  #noteFailure(error: Fault | undefined): void {
    const { telemetry } = this.#options;
    if (error !== undefined) telemetry.count('last_seen_writes_failed');
    if (this.#isFailing === (error !== undefined)) return;
    this.#isFailing = error !== undefined;
    if (error === undefined) telemetry.log.info({ seam: 'last-seen' }, 'last seen is kept again');
    else telemetry.log.error({ seam: 'last-seen', error }, 'last seen cannot be kept; trying again');
  }

  #scheduleAlive(): void {
    const { clock, aliveEveryMs } = this.#options;
    this.#aliveTimer = clock.after(aliveEveryMs, () => {
      this.#scheduleAlive();
      this.#renew();
      if (this.#here.size > 0) void this.#write();
    });
  }

  /** So is who was not written for want of room. */
  #renew(): void {
    const { clock, ttlMs } = this.#options;
    const sinceMs = clock.monotonic() - Math.min(renewAfterMs, ttlMs / 2);
    let count = 0;
    for (const [key, { tenant, user, keptAtMs = -Infinity }] of this.#here) {
      if (keptAtMs > sinceMs || this.#waiting.has(key) || this.#inFlight.has(key)) continue;
      count += 1;
      if (count > renewedMax || this.#waiting.size >= seenWaitingMax / 2) return;
      this.#wait(key, { tenant, user, isHere: true, atMs: clock.now(), wasKept: false });
    }
  }
}

import type { Clock } from '../core/clock.ts';
import { changed, entryOf, type KeptUser } from './kept-user.ts';
import {
  userKey,
  type LastSeen,
  type LastSeenBounds,
  type SeenBatch,
  type SeenEntry,
  type UserName,
} from './last-seen.ts';

interface Kept {
  readonly user: KeptUser;
  readonly writtenAtMs: number;
}

/** Of one process, that forgets it when it ends. */
export class MemoryLastSeen implements LastSeen {
  readonly #clock: Clock;
  readonly #bounds: LastSeenBounds;
  /** Those of whom nothing was written for longest first. */
  readonly #users = new Map<string, Kept>();
  readonly #nodes = new Map<string, number>();

  constructor(clock: Clock, bounds: LastSeenBounds) {
    this.#clock = clock;
    this.#bounds = bounds;
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  write({ node, aliveAtMs, changes }: SeenBatch): Promise<void> {
    const writtenAtMs = this.#clock.now();
    this.#nodes.set(node, Math.max(aliveAtMs, this.#nodes.get(node) ?? 0));
    for (const change of changes) {
      const key = userKey(change);
      const user = changed(this.#users.get(key)?.user, change, { node, aliveAtMs }, this.#aliveAt);
      this.#users.delete(key);
      this.#users.set(key, { user, writtenAtMs });
    }
    this.#forgetOldest(writtenAtMs);
    return Promise.resolve();
  }

  read(users: readonly UserName[]): Promise<readonly (SeenEntry | undefined)[]> {
    const sinceMs = this.#clock.now() - this.#bounds.ttlMs;
    const found = users.map((each) => {
      const kept = this.#users.get(userKey(each));
      return kept === undefined || kept.writtenAtMs <= sinceMs ? undefined : entryOf(kept.user, this.#aliveAt);
    });
    return Promise.resolve(found);
  }

  forget(user: UserName): Promise<void> {
    this.#users.delete(userKey(user));
    return Promise.resolve();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  readonly #aliveAt = (node: string): number | undefined => this.#nodes.get(node);

  #forgetOldest(nowMs: number): void {
    const { ttlMs, usersMax } = this.#bounds;
    for (const [key, { writtenAtMs }] of this.#users) {
      if (writtenAtMs > nowMs - ttlMs && this.#users.size <= usersMax) break;
      this.#users.delete(key);
    }
    for (const [node, aliveAtMs] of this.#nodes) if (aliveAtMs <= nowMs - ttlMs) this.#nodes.delete(node);
  }
}

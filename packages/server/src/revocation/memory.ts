import type { Clock } from '../core/clock.ts';
import {
  laterOf,
  listIsFull,
  revocationKey,
  revocationPageMax,
  type Revocation,
  type RevocationList,
  type RevocationListEvents,
  type RevocationPage,
} from './revocation-list.ts';

export interface MemoryRevocationListOptions {
  readonly clock: Clock;
  /** Most entries. */
  readonly revocationsMax: number;
}

interface Kept {
  readonly version: number;
  readonly revocation: Revocation;
}

/** The list of one process, that it forgets when it ends. */
export class MemoryRevocationList implements RevocationList {
  readonly #options: MemoryRevocationListOptions;
  /** In the order of their versions. */
  readonly #kept = new Map<string, Kept>();
  #version = 0;
  #events: RevocationListEvents = { changed: () => undefined };

  constructor(options: MemoryRevocationListOptions) {
    this.#options = options;
  }

  start(events: RevocationListEvents): Promise<void> {
    this.#events = events;
    return Promise.resolve();
  }

  append(revocation: Revocation): Promise<void> {
    this.#forgetExpired();
    const key = revocationKey(revocation);
    const older = this.#kept.get(key)?.revocation;
    if (older === undefined && this.#kept.size >= this.#options.revocationsMax)
      return Promise.reject(listIsFull(this.#options.revocationsMax));
    this.#kept.delete(key);
    this.#version += 1;
    this.#kept.set(key, { version: this.#version, revocation: laterOf(older, revocation) });
    this.#events.changed();
    return Promise.resolve();
  }

  readSince(version: string): Promise<RevocationPage> {
    const since = /^\d{1,15}$/.test(version) && Number(version) <= this.#version ? Number(version) : 0;
    const found: Kept[] = [];
    for (const kept of this.#kept.values()) {
      if (kept.version <= since) continue;
      if (found.length === revocationPageMax) return Promise.resolve(pageOf(found, true, since));
      found.push(kept);
    }
    return Promise.resolve(pageOf(found, false, since));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #forgetExpired(): void {
    const now = this.#options.clock.now();
    for (const [key, { revocation }] of this.#kept) {
      if (revocation.expiresAtMs !== undefined && revocation.expiresAtMs <= now) this.#kept.delete(key);
    }
  }
}

function pageOf(found: readonly Kept[], hasMore: boolean, since: number): RevocationPage {
  const version = String(found.at(-1)?.version ?? since);
  return { revocations: found.map(({ revocation }) => revocation), version, hasMore };
}

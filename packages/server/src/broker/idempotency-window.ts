import type { Position } from '@tutti/protocol';

interface Entry {
  readonly atMs: number;
  readonly position: Position | undefined;
}

/** What the first publish under a key came to; without a position where the channel keeps no history. */
export interface FirstOutcome {
  readonly position: Position | undefined;
}

export interface IdempotencyBounds {
  readonly windowMs: number;
  /** Most keys remembered; beyond it the oldest is forgotten before its window ends. */
  readonly keysMax: number;
}

/**
 * First outcomes by (channel, key), for a window of time (DEL-6). Pure: time comes in, and must
 * not go back. A Map keeps insertion order, and every entry lives equally long, so the oldest
 * always stand first and forgetting needs no timer.
 */
export class IdempotencyWindow {
  readonly #bounds: IdempotencyBounds;
  readonly #entries = new Map<string, Entry>();

  constructor(bounds: IdempotencyBounds) {
    this.#bounds = bounds;
  }

  get size(): number {
    return this.#entries.size;
  }

  find(channel: string, key: string, atMs: number): FirstOutcome | undefined {
    const entry = this.#entries.get(entryName(channel, key));
    return entry !== undefined && atMs - entry.atMs < this.#bounds.windowMs ? entry : undefined;
  }

  /** Returns the age in milliseconds of a key that had to make room within its window; undefined where none had. */
  remember(channel: string, key: string, position: Position | undefined, atMs: number): number | undefined {
    const name = entryName(channel, key);
    // Deleted first, so that a name used again after its window stands last.
    this.#entries.delete(name);
    this.#entries.set(name, { atMs, position });
    return this.#entries.size > this.#bounds.keysMax ? this.#forgetOldest(atMs) : undefined;
  }

  /** Forgets at most `count` entries that are past the window. */
  expire(atMs: number, count: number): void {
    let left = count;
    for (const [name, entry] of this.#entries) {
      if (left-- <= 0 || atMs - entry.atMs < this.#bounds.windowMs) return;
      this.#entries.delete(name);
    }
  }

  clear(): void {
    this.#entries.clear();
  }

  #forgetOldest(atMs: number): number | undefined {
    for (const [name, entry] of this.#entries) {
      this.#entries.delete(name);
      const ageMs = atMs - entry.atMs;
      return ageMs < this.#bounds.windowMs ? ageMs : undefined;
    }
    return undefined;
  }
}

/** The length in front keeps ('a', 'bc') and ('ab', 'c') apart. */
function entryName(channel: string, key: string): string {
  return `${channel.length}:${channel}${key}`;
}

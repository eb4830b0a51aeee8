import type { Clock } from '../core/clock.ts';
import { Ending } from './ending.ts';
import type { Places } from './places.ts';

interface Link {
  readonly remoteAddress: string;
  terminate(): void;
}

/** The connections of one transport: open, ending, or gone. Each has taken its place already, and gives it back here. */
export class OpenConnections<Connection extends Link> implements Iterable<Connection> {
  readonly #places: Places;
  readonly #all = new Set<Connection>();
  readonly #ending: Ending<Connection>;
  /** Those who wait until no connection is left. */
  #whenEmpty: (() => void)[] = [];

  /** `closeTimeoutMs`: how long one that is ending may take. */
  constructor(clock: Clock, closeTimeoutMs: number, places: Places) {
    this.#places = places;
    this.#ending = new Ending(clock, closeTimeoutMs);
  }

  /** Open or ending. */
  get size(): number {
    return this.#all.size;
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#all.values();
  }

  add(connection: Connection): void {
    this.#all.add(connection);
  }

  /** It is terminated unless it is gone in time. */
  ending(connection: Connection): void {
    this.#ending.add(connection);
  }

  /** It is gone. Idempotent. */
  delete(connection: Connection): void {
    if (!this.#all.delete(connection)) return;
    this.#ending.delete(connection);
    this.#places.give(connection.remoteAddress);
    if (this.#all.size > 0) return;
    const waiting = this.#whenEmpty;
    this.#whenEmpty = [];
    for (const resolve of waiting) resolve();
  }

  /** Resolves when no connection is left. Each that is ending is gone within the close time-out. */
  empty(): Promise<void> {
    if (this.#all.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenEmpty.push(resolve);
    });
  }
}

import type { Subscription } from './subscription.ts';

/** What catching up needs of a session. */
export interface CatchUpHost {
  /** Little enough waits for the connection that a page may be read for it. */
  readonly hasRoom: boolean;
  /** Reads and sends one page; true where more is to come. Never rejects. */
  readPage(subscription: Subscription): Promise<boolean>;
}

/**
 * The subscriptions of one session that are behind, read page by page: one reader at a time and in
 * turns, only while the queue has room. So a client that comes back to a hundred channels is given
 * what it missed at the pace at which it reads, and never more than a page too much (BP-1, DEL-9).
 */
export class CatchUp {
  readonly #host: CatchUpHost;
  readonly #behind = new Set<Subscription>();
  #isReading = false;

  constructor(host: CatchUpHost) {
    this.#host = host;
  }

  add(subscription: Subscription): void {
    this.#behind.add(subscription);
    this.go();
  }

  /** There may be room again. */
  go(): void {
    if (this.#isReading || this.#behind.size === 0 || !this.#host.hasRoom) return;
    void this.#read();
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    while (this.#host.hasRoom) {
      const [next] = this.#behind;
      if (next === undefined) break;
      this.#behind.delete(next);
      if (await this.#host.readPage(next)) this.#behind.add(next);
    }
    this.#isReading = false;
  }
}

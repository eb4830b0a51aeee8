import type { Subscription } from './subscription.ts';

/** What catching up needs of a session. */
export interface CatchUpHost {
  /** Nothing of this channel waits for the connection, and little else: a page may be read for it. */
  mayRead(subscription: Subscription): boolean;
  /** Reads and sends one page; true where more is to come. Never rejects. */
  readPage(subscription: Subscription): Promise<boolean>;
  /** In a later turn of the loop. */
  soon(fn: () => void): void;
}

/**
 * The subscriptions of one session that are behind, read page by page: one reader at a time, in turns,
 * a turn of the loop for each page, and only while the queue has room. So a client that comes back to
 * a hundred channels is given what it missed at the pace at which it reads, never more than a page too
 * much (BP-1, DEL-9), and what the peer says in between is heard.
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
    if (this.#isReading) return;
    for (const subscription of this.#behind) {
      if (subscription.state !== 'behind') {
        this.#behind.delete(subscription);
      } else if (this.#host.mayRead(subscription)) {
        this.#behind.delete(subscription);
        this.#isReading = true;
        this.#host.soon(() => void this.#read(subscription));
        return;
      }
    }
  }

  async #read(subscription: Subscription): Promise<void> {
    if (await this.#host.readPage(subscription)) this.#behind.add(subscription);
    this.#isReading = false;
    this.go();
  }
}

import type {
  Broker,
  BrokerEvents,
  Clock,
  HistoryPage,
  HistoryQuery,
  LivePublication,
  PublicationDraft,
  PublishOptions,
  PublishOutcome,
} from '@tutti/server/internal';

/**
 * A broker as far away as a real one: each call takes effect one step of the clock after it was
 * made and is answered another step later, and live publications travel on their own, in order.
 * With `VirtualClock.step(choice)` a test can then try every interleaving.
 */
export class SteppedBroker implements Broker {
  readonly #inner: Broker;
  readonly #clock: Clock;
  readonly #loses: (live: LivePublication) => boolean;
  readonly #bus: LivePublication[] = [];

  /** `loses`: live publications for which it is true never arrive; the log has them (DEL-7). */
  constructor(inner: Broker, clock: Clock, loses: (live: LivePublication) => boolean = () => false) {
    this.#inner = inner;
    this.#clock = clock;
    this.#loses = loses;
  }

  start(events: BrokerEvents): Promise<void> {
    return this.#inner.start({
      publication: (live) => {
        if (this.#loses(live)) return;
        this.#bus.push(live);
        this.#clock.soon(() => {
          const next = this.#bus.shift();
          if (next !== undefined) events.publication(next);
        });
      },
      interrupted: () => events.interrupted?.(),
    });
  }

  subscribe(channel: string): Promise<void> {
    return this.#far(() => this.#inner.subscribe(channel));
  }

  unsubscribe(channel: string): Promise<void> {
    return this.#far(() => this.#inner.unsubscribe(channel));
  }

  publish(channel: string, draft: PublicationDraft, options: PublishOptions): Promise<PublishOutcome> {
    return this.#far(() => this.#inner.publish(channel, draft, options));
  }

  history(channel: string, query: HistoryQuery): Promise<HistoryPage> {
    return this.#far(() => this.#inner.history(channel, query));
  }

  removeHistory(channel: string): Promise<void> {
    return this.#far(() => this.#inner.removeHistory(channel));
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #far<T>(act: () => Promise<T>): Promise<T> {
    await this.#step();
    const result = await act();
    await this.#step();
    return result;
  }

  #step(): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.soon(resolve);
    });
  }
}

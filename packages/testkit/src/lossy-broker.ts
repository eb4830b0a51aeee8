import type {
  Broker,
  BrokerEvents,
  HistoryPage,
  HistoryQuery,
  LivePublication,
  PublicationDraft,
  PublishOptions,
  PublishOutcome,
} from '@tutti/server/internal';

/**
 * What becomes of one live event. `hold`: kept until `release`. `{ behind: n }`: given after the
 * next n events that were neither held nor dropped, so that they overtake it.
 */
export type Fate = 'deliver' | 'drop' | 'hold' | { readonly behind: number };

/** Asked once an event, in the order of the inner broker; `index` counts from 0. */
export type DecideFate = (live: LivePublication, index: number) => Fate;

interface Late {
  readonly live: LivePublication;
  left: number;
}

/** A broker whose bus loses, delays and reorders as a test says. The log beneath it is not touched (DEL-7). */
export class LossyBroker implements Broker {
  readonly #inner: Broker;
  readonly #held: LivePublication[] = [];
  readonly #late: Late[] = [];
  #decide: DecideFate;
  #events: BrokerEvents | undefined;
  #offered = 0;
  #dropped = 0;

  constructor(inner: Broker, decide: DecideFate = () => 'deliver') {
    this.#inner = inner;
    this.#decide = decide;
  }

  /** Events dropped so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Events held back or overtaken, and not yet given. */
  get waiting(): number {
    return this.#held.length + this.#late.length;
  }

  /** From the next event on. */
  decideBy(decide: DecideFate): void {
    this.#decide = decide;
  }

  /** Gives everything that waits, oldest first, or newest first where `reverse`. */
  release(options: { reverse?: boolean } = {}): void {
    const waiting = [...this.#late.splice(0).map(({ live }) => live), ...this.#held.splice(0)];
    if (options.reverse === true) waiting.reverse();
    for (const live of waiting) this.#give(live);
  }

  async start(events: BrokerEvents): Promise<void> {
    this.#events = events;
    await this.#inner.start({
      publication: (live) => this.#offer(live),
      interrupted: () => events.interrupted?.(),
    });
  }

  subscribe(channel: string): Promise<void> {
    return this.#inner.subscribe(channel);
  }

  unsubscribe(channel: string): Promise<void> {
    return this.#inner.unsubscribe(channel);
  }

  publish(channel: string, draft: PublicationDraft, options: PublishOptions): Promise<PublishOutcome> {
    return this.#inner.publish(channel, draft, options);
  }

  history(channel: string, query: HistoryQuery): Promise<HistoryPage> {
    return this.#inner.history(channel, query);
  }

  removeHistory(channel: string): Promise<void> {
    return this.#inner.removeHistory(channel);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  #offer(live: LivePublication): void {
    const fate = this.#decide(live, this.#offered++);
    if (fate === 'deliver') this.#deliver(live);
    else if (fate === 'drop') this.#dropped++;
    else if (fate === 'hold') this.#held.push(live);
    else if (fate.behind <= 0) this.#deliver(live);
    else this.#late.push({ live, left: fate.behind });
  }

  /** One event passes; those that waited for it to overtake come next. */
  #deliver(live: LivePublication): void {
    this.#give(live);
    for (const late of this.#late) late.left--;
    while (this.#late.some(({ left }) => left <= 0)) {
      const index = this.#late.findIndex(({ left }) => left <= 0);
      const [late] = this.#late.splice(index, 1);
      if (late !== undefined) this.#give(late.live);
    }
  }

  #give(live: LivePublication): void {
    this.#events?.publication(live);
  }
}

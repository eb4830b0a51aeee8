import { Fault } from '../core/fault.ts';
import type {
  Broker,
  BrokerEvents,
  HistoryPage,
  HistoryQuery,
  PublicationDraft,
  PublishOptions,
  PublishOutcome,
} from './broker.ts';

export interface EmbeddedBrokerOptions {
  readonly memory: Broker;
  /** For durable channels. Without it, using one of them is refused. */
  readonly log?: Broker;
  /** Must answer the same for a channel as long as the process lives. */
  readonly isDurable: (channel: string) => boolean;
}

/** Memory for most channels, the log on disk for durable ones. A channel lives in exactly one of them. */
export class EmbeddedBroker implements Broker {
  readonly #memory: Broker;
  readonly #log: Broker | undefined;
  readonly #isDurable: (channel: string) => boolean;

  constructor(options: EmbeddedBrokerOptions) {
    this.#memory = options.memory;
    this.#log = options.log;
    this.#isDurable = options.isDurable;
  }

  async start(events: BrokerEvents): Promise<void> {
    await this.#log?.start(events);
    await this.#memory.start(events);
  }

  async subscribe(channel: string): Promise<void> {
    return this.#home(channel).subscribe(channel);
  }

  async unsubscribe(channel: string): Promise<void> {
    return this.#home(channel).unsubscribe(channel);
  }

  async publish(channel: string, draft: PublicationDraft, options: PublishOptions): Promise<PublishOutcome> {
    return this.#home(channel).publish(channel, draft, options);
  }

  async history(channel: string, query: HistoryQuery): Promise<HistoryPage> {
    return this.#home(channel).history(channel, query);
  }

  async removeHistory(channel: string): Promise<void> {
    return this.#home(channel).removeHistory(channel);
  }

  /** The log first: it holds what was promised. The other is closed even where that fails. */
  async close(): Promise<void> {
    try {
      await this.#log?.close();
    } finally {
      await this.#memory.close();
    }
  }

  #home(channel: string): Broker {
    if (!this.#isDurable(channel)) return this.#memory;
    if (this.#log !== undefined) return this.#log;
    throw new Fault('broker', `channel ${channel} is durable, but this node has no data folder`, { retryable: false });
  }
}

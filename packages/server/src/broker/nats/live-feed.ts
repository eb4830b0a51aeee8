import type { Msg } from '@nats-io/transport-node';
import type { BrokerEvents } from '../broker.ts';
import type { StoredRecord } from './log-reader.ts';
import { decodeRecord, publicationsOf, type LogRecord } from './record.ts';
import type { NatsLink, NatsSubscription } from './nats-link.ts';

/** A subscribed channel: how far this node was told. */
interface Heard {
  subscription: NatsSubscription;
  epoch: string;
  offset: number;
}

export interface LiveFeedOptions {
  readonly link: NatsLink;
  readonly subjectOf: (channel: string) => string;
  /** A record of the log, wherever it was appended. */
  readonly onRecord: (channel: string, stored: StoredRecord) => void;
  /** Bytes that are no record: from whom, we cannot know (S25). */
  readonly onStranger: (channel: string, error: unknown) => void;
}

/**
 * Live publications of the channels that somebody on this node is in.
 *
 * The driver calls back as it reads the socket, so no message ever waits here: a node that cannot keep up
 * is cut off by the server as a slow consumer, comes back, and is then told that it was interrupted.
 * What this node appended itself is given as soon as the log has it; its echo is known by its offset.
 */
export class LiveFeed {
  readonly #options: LiveFeedOptions;
  readonly #heard = new Map<string, Heard>();
  #events: BrokerEvents | undefined;

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  start(events: BrokerEvents): void {
    this.#events = events;
  }

  /** Throws a retryable `Fault` where NATS is not there; then nothing is subscribed. */
  async subscribe(channel: string): Promise<void> {
    const { link, subjectOf } = this.#options;
    const { connection } = link;
    if (!this.#heard.has(channel)) {
      const subscription = link.subscribe(subjectOf(channel), (message) => this.#message(channel, message));
      this.#heard.set(channel, { subscription, epoch: '', offset: 0 });
    }
    try {
      // The server has seen the subscription when it answers what was sent after it.
      await link.guard(connection.flush());
    } catch (error) {
      this.unsubscribe(channel);
      throw error;
    }
  }

  /** Idempotent. */
  unsubscribe(channel: string): void {
    this.#heard.get(channel)?.subscription.unsubscribe();
    this.#heard.delete(channel);
  }

  has(channel: string): boolean {
    return this.#heard.has(channel);
  }

  /** Gives what is new of it; the rest was given before. */
  give(channel: string, record: LogRecord): void {
    const heard = this.#heard.get(channel);
    if (heard === undefined) return;
    const { epoch } = record;
    for (const publication of publicationsOf(record)) {
      const { offset } = publication;
      if (offset !== undefined) {
        if (epoch === heard.epoch && offset <= heard.offset) continue;
        [heard.epoch, heard.offset] = [epoch, offset];
      }
      this.#events?.publication({ channel, publication, epoch, previousOffset: offset === undefined ? 0 : offset - 1 });
    }
  }

  close(): void {
    for (const channel of [...this.#heard.keys()]) this.unsubscribe(channel);
  }

  #message(channel: string, { data, headers }: Msg): void {
    try {
      const record = decodeRecord(data);
      const sequence = Number(headers?.last('Nats-Sequence') ?? 0);
      if (record.epoch !== '' && sequence > 0) this.#options.onRecord(channel, { sequence, record });
      this.give(channel, record);
    } catch (error) {
      this.#options.onStranger(channel, error);
    }
  }
}

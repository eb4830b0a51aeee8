import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { ControlBus, ControlBusEvents } from '../control-bus.ts';

/** What this bus needs of the node's one connection to NATS. */
export interface ConnectionToNats {
  readonly isUp: boolean;
  /** Throws while it is down. */
  readonly connection: NatsConnection;
  /** Called each time it is up, also where it is now. */
  onUp(fn: () => void): void;
  /** From now on, or from when it is up. `heard` is called as the socket is read. */
  subscribe(subject: string, heard: (message: Msg) => void): { unsubscribe(): void };
  /** The promise, or a rejection as soon as the connection breaks. */
  guard<T>(asked: Promise<T>): Promise<T>;
  /** Resolves when the first attempt has ended, well or not. */
  start(): Promise<void>;
}

export interface NatsControlBusOptions {
  /** Closed by whoever closes the broker. */
  readonly link: ConnectionToNats;
  readonly node: string;
  /** First words of all subjects. */
  readonly prefix: string;
}

/**
 * Messages between nodes on core NATS: a subject for each node, one for all. The driver hands them over
 * as it reads them, so nothing waits here.
 */
export class NatsControlBus implements ControlBus {
  readonly #options: NatsControlBusOptions;
  #events: ControlBusEvents | undefined;
  #subscriptions: readonly { unsubscribe(): void }[] = [];
  #isClosed = false;

  constructor(options: NatsControlBusOptions) {
    this.#options = options;
  }

  /** Where NATS is not there, the node starts all the same: what it missed is told as an interruption. */
  async start(events: ControlBusEvents): Promise<void> {
    this.#events = events;
    const { link } = this.#options;
    await link.start();
    const subjects = [this.#subjectOf(this.#options.node), this.#subjectOfAll];
    this.#subscriptions = subjects.map((subject) => link.subscribe(subject, ({ data }) => this.#events?.message(data)));
    let isFirst = link.isUp;
    link.onUp(() => {
      if (!isFirst) this.#events?.interrupted();
      isFirst = false;
    });
    // Broken meanwhile: it is told as an interruption.
    if (link.isUp) await link.guard(link.connection.flush()).catch(() => undefined);
  }

  send(node: string, message: Uint8Array): void {
    this.#publish(this.#subjectOf(node), message);
  }

  broadcast(message: Uint8Array): void {
    this.#publish(this.#subjectOfAll, message);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#events = undefined;
    for (const subscription of this.#subscriptions) subscription.unsubscribe();
    const { link } = this.#options;
    // The link is there for others, who may have closed it before; what was sent leaves with it.
    if (link.isUp) await link.guard(link.connection.flush()).catch(() => undefined);
  }

  #publish(subject: string, message: Uint8Array): void {
    const { link } = this.#options;
    if (this.#isClosed || !link.isUp) return;
    link.connection.publish(subject, message);
  }

  /** Names of nodes are tokens of a subject as they are. */
  #subjectOf(node: string): string {
    return `${this.#options.prefix}.node.${node}`;
  }

  get #subjectOfAll(): string {
    return `${this.#options.prefix}.nodes`;
  }
}

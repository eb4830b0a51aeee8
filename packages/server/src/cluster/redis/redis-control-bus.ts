import { controlMessageBytesMax, type ControlBus, type ControlBusEvents } from '../control-bus.ts';

/** What the bus needs of the connections to Redis, which it shares with the broker. */
export interface PubSub {
  /** Resolves when Redis is reached, or after a while without: it is then reached later. Throws `Fault`. */
  open(): Promise<void>;
  /** Stands from now on, or from when Redis is there again. Resolves when it does, where Redis is there. */
  keepSubscribed(tag: string, handler: (message: Uint8Array) => void): Promise<void>;
  /** At most once; lost where Redis is not there. */
  publish(tag: string, message: Uint8Array): void;
  unsubscribe(tag: string): Promise<void>;
  /** Told after each break, when all is whole again. */
  onInterrupted(listener: () => void): void;
  close(): Promise<void>;
}

const everybody = 'nodes';

/** The bus over Redis: one pub/sub channel for all nodes, and one for each name. */
export class RedisControlBus implements ControlBus {
  readonly #pubSub: PubSub;
  readonly #own: string;
  #isOpen = false;
  #isClosed = false;

  constructor(node: string, pubSub: PubSub) {
    this.#pubSub = pubSub;
    this.#own = tagOf(node);
  }

  async start(events: ControlBusEvents): Promise<void> {
    const receive = (message: Uint8Array): void => {
      // Whoever reaches this Redis can send anything; what it says is judged above (S25).
      if (this.#isOpen && message.length <= controlMessageBytesMax) events.message(message);
    };
    this.#pubSub.onInterrupted(() => {
      if (this.#isOpen) events.interrupted();
    });
    this.#isOpen = true;
    await this.#pubSub.open();
    await Promise.all([
      this.#pubSub.keepSubscribed(this.#own, receive),
      this.#pubSub.keepSubscribed(everybody, receive),
    ]);
  }

  send(node: string, message: Uint8Array): void {
    this.#publish(tagOf(node), message);
  }

  broadcast(message: Uint8Array): void {
    this.#publish(everybody, message);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await Promise.allSettled([this.#pubSub.unsubscribe(this.#own), this.#pubSub.unsubscribe(everybody)]);
    await this.#pubSub.close();
  }

  #publish(tag: string, message: Uint8Array): void {
    if (message.length > controlMessageBytesMax) throw new Error('a control message is larger than the bus carries');
    if (this.#isOpen) this.#pubSub.publish(tag, message);
  }
}

function tagOf(node: string): string {
  return `node.${node}`;
}

import type { RedisLink } from './redis-link.ts';
import { slotOf } from './slots.ts';

/** Bare pub/sub over the broker's connections, for messages that are no publications. */
export class LinkPubSub {
  readonly #link: RedisLink;
  readonly #prefix: string;

  constructor(link: RedisLink, prefix: string) {
    this.#link = link;
    this.#prefix = prefix;
  }

  open(): Promise<void> {
    return this.#link.open();
  }

  keepSubscribed(tag: string, handler: (message: Uint8Array) => void): Promise<void> {
    return this.#link.keepSubscribed(this.#channel(tag), slotOf(tag), (_, message) => handler(message));
  }

  publish(tag: string, message: Uint8Array): void {
    const bytes = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
    const command = this.#link.isSharded ? 'SPUBLISH' : 'PUBLISH';
    this.#link.call(slotOf(tag), command, [this.#channel(tag), bytes], bytes.length).catch(() => {
      // Loss is allowed, and told where it was more than this one.
    });
  }

  unsubscribe(tag: string): Promise<void> {
    return this.#link.unsubscribe(this.#channel(tag));
  }

  onInterrupted(listener: () => void): void {
    this.#link.onInterrupted(listener);
  }

  close(): Promise<void> {
    return this.#link.close();
  }

  /** Channels of publications begin with a point inside the braces, these never do. */
  #channel(tag: string): string {
    return `${this.#prefix}:{${tag}}`;
  }
}

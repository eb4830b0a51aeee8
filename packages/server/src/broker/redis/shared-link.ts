import type { RedisLink } from './redis-link.ts';
import { scriptPrelude } from './scripts.ts';
import { slotOf } from './slots.ts';

/**
 * What others do over the broker's connections: pub/sub and small scripts, for what is no publication.
 * A tag is what they are about; in a Cluster all of one tag is on one server.
 */
export class SharedLink {
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

  /**
   * Runs a script that is too rare to be loaded; `generation()` and `now()` are there. `names` continue the tag.
   * Resolves to the reply, its texts as Buffers. Rejects with `Fault`.
   */
  evaluate(tag: string, script: string, names: readonly string[], values: readonly string[]): Promise<unknown> {
    const keys = names.map((name) => `${this.#channel(tag)}:${name}`);
    return this.#link.call(slotOf(tag), 'EVAL', [scriptPrelude + script, keys.length, ...keys, ...values]);
  }

  /** Resolves when so many replicas have what was written to the tag until now. Rejects with `Fault`. */
  async confirm(tag: string, replicas: number): Promise<void> {
    if (replicas > 0) await this.#link.confirm(slotOf(tag), replicas);
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

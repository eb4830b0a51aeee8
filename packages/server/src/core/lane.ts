import type { Codec, Push } from '@tutti/protocol';
import type { Delivery, Namespace } from '../config/namespace.ts';

/** One push that waits. */
interface Waiting {
  readonly push: Push;
  readonly encoded: Uint8Array;
  /** Of a publication: its offset, or its place among those added, where the channel has none. */
  readonly place: number;
}

/**
 * What waits of one channel for one lagging connection, oldest first. Pure state.
 *
 * `all` keeps everything; `latest` keeps the newest publication, `latest_by_key` the newest of each
 * key. A newer value takes the place of the older one at the end of the line, so the order of
 * offsets never changes (BP-3). A `final` publication is never replaced. Joins and leaves are kept.
 *
 * Each publication that leaves says how many before it did not (`skipped`, BP-6).
 */
export class Lane {
  readonly channel: string;
  readonly namespace: Namespace;
  /** Between updates, as the subscription asked; 0: as fast as the connection allows. */
  intervalMs: number;
  /** Conflatable ones by their key, others by themselves; a Map keeps the order and can take from its middle. */
  readonly #waiting = new Map<unknown, Waiting>();
  #bytes = 0;
  /** Place after which the next to be sent would follow without a skip; undefined before the first. */
  #lastPlace: number | undefined;
  /** Publications so far. */
  #added = 0;
  #dueAtMs = 0;

  constructor(channel: string, namespace: Namespace, intervalMs: number) {
    this.channel = channel;
    this.namespace = namespace;
    this.intervalMs = intervalMs;
  }

  /** An interval is the subscriber's own wish for the newest, whatever the channel would deliver. */
  get #delivery(): Delivery {
    return this.intervalMs > 0 && this.namespace.delivery === 'all' ? 'latest_by_key' : this.namespace.delivery;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Pushes that wait. */
  get size(): number {
    return this.#waiting.size;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** Where a reader of the log would go on; undefined where no publication was ever added. */
  get lastOffset(): number | undefined {
    return this.#lastPlace;
  }

  /** Milliseconds until something may leave; 0 now, Infinity where nothing waits. */
  dueIn(nowMs: number): number {
    return this.isEmpty ? Infinity : Math.max(0, this.#dueAtMs - nowMs);
  }

  /** Returns how many waiting publications this one took the place of: 0 or 1. */
  add(push: Push, encoded: Uint8Array): number {
    const { pub } = push;
    if (pub !== undefined) this.#added += 1;
    const waiting: Waiting = { push, encoded, place: pub?.offset ?? this.#added };
    this.#bytes += encoded.length;
    if (pub === undefined) {
      this.#waiting.set(waiting, waiting);
      return 0;
    }
    this.#lastPlace ??= waiting.place - 1;
    if (this.#delivery === 'all') {
      this.#waiting.set(waiting, waiting);
      return 0;
    }
    const key = this.#delivery === 'latest' ? '' : (pub.key ?? '');
    const replaced = this.#remove(key) ? 1 : 0;
    this.#waiting.set(pub.final === true ? waiting : key, waiting);
    return replaced;
  }

  /** Takes encoded pushes from the front, up to `bytesMax` and the one that crosses it. Nothing before it is due. */
  take(codec: Codec, bytesMax: number, nowMs: number): Uint8Array[] {
    if (this.intervalMs > 0 && nowMs < this.#dueAtMs) return [];
    const taken: Uint8Array[] = [];
    let bytes = 0;
    for (const [key, waiting] of this.#waiting) {
      if (bytes >= bytesMax) break;
      this.#waiting.delete(key);
      this.#bytes -= waiting.encoded.length;
      bytes += waiting.encoded.length;
      taken.push(this.#marked(codec, waiting));
    }
    // What an interval lets through may take several turns; the next interval begins after the last of them.
    if (this.intervalMs > 0 && this.isEmpty && taken.length > 0) this.#dueAtMs = nowMs + this.intervalMs;
    return taken;
  }

  /**
   * Drops the oldest publications until at most `bytesMax` wait; returns how many. Final ones stay, and
   * so does the newest: the last value always arrives (BP-3). Where each key has one value there is
   * nothing to drop.
   */
  dropOldest(bytesMax: number): number {
    if (this.#delivery !== 'all') return 0;
    const newest = this.#newestPublication();
    let dropped = 0;
    for (const [key, waiting] of this.#waiting) {
      if (this.#bytes <= bytesMax) break;
      const { push, encoded } = waiting;
      if (push.pub === undefined || push.pub.final === true || waiting === newest) continue;
      this.#waiting.delete(key);
      this.#bytes -= encoded.length;
      dropped += 1;
    }
    return dropped;
  }

  #newestPublication(): Waiting | undefined {
    let newest: Waiting | undefined;
    for (const waiting of this.#waiting.values()) if (waiting.push.pub !== undefined) newest = waiting;
    return newest;
  }

  #remove(key: string): boolean {
    const older = this.#waiting.get(key);
    if (older === undefined) return false;
    this.#waiting.delete(key);
    this.#bytes -= older.encoded.length;
    return true;
  }

  /** As it was encoded for everybody, or, where it follows a skip, with the mark that says so. */
  #marked(codec: Codec, { push, encoded, place }: Waiting): Uint8Array {
    const { pub } = push;
    if (pub === undefined) return encoded;
    const skipped = place - (this.#lastPlace ?? place - 1) - 1;
    this.#lastPlace = place;
    return skipped > 0 ? codec.encodeReply({ push: { ...push, pub: { ...pub, skipped } } }) : encoded;
  }
}

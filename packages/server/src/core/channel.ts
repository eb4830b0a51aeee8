import type { Position, Publication, Push } from '@tutti/protocol';
import type { LivePublication } from '../broker/broker.ts';
import type { Namespace } from '../config/namespace.ts';
import { wireName } from '../config/tenant.ts';
import { Batch } from './batch.ts';
import type { Flushable } from './flush-scheduler.ts';
import { fixedLimits } from './limits.ts';

/**
 * - `opening`: the bus is being joined and the top read; live publications wait in the tail.
 * - `live`: every publication up to `top` was handed to the fan-out.
 * - `repairing`: the bus lost something; the log is being read, live publications wait in the tail.
 * - `closed`: nobody here is in it any more.
 */
export type ChannelState = 'opening' | 'live' | 'repairing' | 'closed';

/** What the fan-out needs to know of a subscription. */
export interface Recipient {
  readonly session: { deliver(batch: Batch): void };
}

/**
 * One channel on this node: who is in it, how far the fan-out has come, and what waits for the
 * next flush. Pure state: reading the log and joining the bus are the hub's.
 *
 * All live subscriptions share one position, `top`; only those behind have their own. That keeps a
 * subscription small, and makes it impossible that two live subscribers disagree (DEL-3).
 */
export class Channel<Member extends Recipient> implements Flushable {
  /** With its tenant. */
  readonly name: string;
  /** On every push: what clients of its tenant call it. */
  readonly wireName: string;
  readonly namespace: Namespace;
  state: ChannelState = 'opening';
  /** Resolves when the channel is open; rejects when that failed. */
  opened: Promise<void> = Promise.resolve();
  epoch = '';
  /** Offset of the last publication given to the fan-out. */
  top = 0;
  readonly live = new Set<Member>();
  /** Joining or catching up. */
  readonly behind = new Set<Member>();
  flushPending = false;
  #waiting: Push[] = [];
  #tail: LivePublication[] = [];
  #tailBytes = 0;
  #tailHolds = 0;

  constructor(name: string, namespace: Namespace) {
    this.name = name;
    this.wireName = wireName(name);
    this.namespace = namespace;
  }

  /** The channel keeps a log, so its publications have positions. */
  get isPositioned(): boolean {
    return this.namespace.historySize > 0;
  }

  get isEmpty(): boolean {
    return this.live.size === 0 && this.behind.size === 0;
  }

  get position(): Position {
    return { offset: this.top, epoch: this.epoch };
  }

  /** Offset up to which the live subscriptions were handed everything; the rest waits for the flush. */
  get flushedTop(): number {
    const next = this.#waiting.find((push) => push.pub?.offset !== undefined)?.pub?.offset;
    return next === undefined ? this.top : next - 1;
  }

  /** For the fan-out: goes to every live subscription with the next flush. */
  enqueue(push: Push): void {
    if (this.live.size > 0) this.#waiting.push(push);
  }

  /** Hands what waits to the queues of the live subscriptions; encodes once for each codec. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const pushes = this.#waiting;
    this.#waiting = [];
    const batch = new Batch(this, pushes);
    for (const member of this.live) member.session.deliver(batch);
  }

  /** From now on publications are kept, for somebody between reading the log and hearing the fan-out. */
  holdTail(): void {
    this.#tailHolds += 1;
  }

  releaseTail(): void {
    this.#tailHolds -= 1;
    if (this.#tailHolds === 0 && this.state === 'live') this.dropTail();
  }

  get isTailHeld(): boolean {
    return this.#tailHolds > 0;
  }

  /** Keeps a publication at hand. The oldest leave first; the log has them. */
  keep(live: LivePublication): void {
    this.#tail.push(live);
    this.#tailBytes += live.publication.data.length;
    while (this.#tail.length > fixedLimits.tailMax || this.#tailBytes > fixedLimits.tailBytesMax) {
      const oldest = this.#tail.shift();
      if (oldest === undefined) return;
      this.#tailBytes -= oldest.publication.data.length;
    }
  }

  dropTail(): void {
    this.#tail = [];
    this.#tailBytes = 0;
  }

  /** Highest offset kept; 0 where nothing is. */
  get tailTop(): number {
    return this.#tail.at(-1)?.publication.offset ?? 0;
  }

  /** What follows `offset` without a hole, up to the newest kept; undefined where the log must be asked. */
  tailAfter(offset: number): LivePublication[] | undefined {
    const first = this.#tail.findIndex((live) => (live.publication.offset ?? 0) > offset);
    const next = this.#tail[first];
    if (next === undefined || next.epoch !== this.epoch || next.previousOffset > offset) return undefined;
    for (let i = first + 1; i < this.#tail.length; i += 1) {
      const before = this.#tail[i - 1]?.publication.offset;
      const live = this.#tail[i];
      // The bus lost one inside the tail: only what comes before it is whole.
      if (live === undefined || live.epoch !== this.epoch || live.previousOffset !== before)
        return this.#tail.slice(first, i);
    }
    return this.#tail.slice(first);
  }
}

export function publicationPush(wireName: string, publication: Publication, epoch: string): Push {
  // Offset 1 carries the epoch, so that whoever subscribed to an empty channel learns it.
  return { channel: wireName, pub: publication.offset === 1 ? { ...publication, epoch } : publication };
}

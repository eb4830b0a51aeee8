import type { Position, Publication } from '@tutti/protocol';

/**
 * The ordered log of channels, and its fan-out between nodes.
 *
 * One seam holds both, because a split lets two nodes append 4 then 5 and deliver 5 then 4 (DEL-4).
 * Channel names arrive canonical, perhaps with a tenant before them (`acme*chat:general`, config/tenant.ts), and are
 * nothing but keys here. Every implementation passes testkit's `brokerConformance`.
 */
export interface Broker {
  /** Called once, before anything else. Live publications go to `events` from then on. Throws `Fault`. */
  start(events: BrokerEvents): Promise<void>;

  /** After it resolves, every publication appended from then on reaches `events` on this node. Idempotent. */
  subscribe(channel: string): Promise<void>;
  unsubscribe(channel: string): Promise<void>;

  /**
   * Appends (where `options.history` is given) and fans out, as one step. Resolves when the promise
   * of the channel holds: durable means committed and synced (DEL-5).
   *
   * Calls for one channel take effect in the order in which they were made, even when not awaited.
   * Live delivery on this node happens before the promise resolves.
   * Throws `PositionConflict`, or `Fault` (then the outcome is unknown only if `retryable`).
   */
  publish(channel: string, draft: PublicationDraft, options: PublishOptions): Promise<PublishOutcome>;

  /** Publications and the channel's top, read at one moment. A read begun after an ack contains it. */
  history(channel: string, query: HistoryQuery): Promise<HistoryPage>;

  /**
   * Only where many are read for little more than one: the top of each, as `history` with limit 0 tells it, each of its
   * own moment. Those that could not be read are missing. Throws `Fault` where none could.
   */
  tops?(channels: readonly string[]): Promise<ReadonlyMap<string, Position>>;

  /** Forgets the publications; the top offset and the epoch stay, so positions remain comparable. */
  removeHistory(channel: string): Promise<void>;

  /** Commits what was accepted, then releases everything. Later calls throw `Fault`. */
  close(): Promise<void>;
}

export interface BrokerEvents {
  /**
   * A publication of a channel this node subscribes to, in log order. Never throws.
   * With an empty `epoch` the channel keeps no history, and the publication has no offset.
   */
  publication(live: LivePublication): void;

  /**
   * Live publications may have been lost, and nothing later need reveal it: between this node and
   * the log something broke and is whole again (a thread, a connection), or a commit's outcome was
   * unknown. Every position that the node holds is to be compared with the log now (DEL-7).
   *
   * Example: the log takes offset 8, its process dies before it says so, and the publisher's retry is
   * acknowledged as a duplicate of 8; a subscriber at 7 learns of 8 only by that comparison.
   * Told after each such break, once the log can be read again; too often does no harm. Never throws.
   */
  interrupted?(): void;
}

export interface LivePublication {
  readonly channel: string;
  readonly publication: Publication;
  /** Epoch of the channel's log; empty where the publication was not appended to a log. */
  readonly epoch: string;
  /** Offset of the publication before it in the log, 0 for the first: a node that has not seen it has a gap (DEL-7). */
  readonly previousOffset: number;
}

/** A publication before it has a position. */
export type PublicationDraft = Omit<Publication, 'offset' | 'time' | 'epoch' | 'channel' | 'delta' | 'skipped'>;

export interface HistoryRetention {
  /** Most publications kept; at least 1. */
  readonly size: number;
  /** Milliseconds a publication is kept. */
  readonly ttlMs: number;
}

export interface PublishOptions {
  /** Absent: the publication is delivered to who is there now, and kept nowhere. */
  readonly history?: HistoryRetention;
  /** Within the window a retry with the same key (per channel) is answered with the first outcome (DEL-6). */
  readonly idempotencyKey?: string;
  /** Append only where the top offset is this one; an empty epoch accepts any. Needs `history`. */
  readonly expected?: Position;
}

export interface PublishOutcome {
  /** Absent where the channel keeps no history. */
  readonly position?: Position;
  /** The key was seen before, and nothing was appended or delivered now. */
  readonly duplicate: boolean;
}

export interface HistoryQuery {
  /** Only publications after it (before it, when `reverse`). The epoch is compared by the caller, not here. */
  readonly since?: Position;
  /** Most publications in the page; 0 asks for the top alone. */
  readonly limit: number;
  /**
   * Most bytes of publications in the page: payloads and, roughly, what else they carry. Absent: no
   * bound. A page that it cuts is shorter, and `top` tells that there is more. One always fits.
   */
  readonly bytesMax?: number;
  /** Newest first. */
  readonly reverse?: boolean;
}

export interface HistoryPage {
  /** In offset order (descending where `reverse`); without holes. Retention may have removed the oldest. */
  readonly publications: readonly Publication[];
  /** Offset of the newest publication ever appended in this epoch, 0 for none, and the epoch. */
  readonly top: Position;
}

/** Compare-and-append found another top. The channel is unchanged. */
export class PositionConflict extends Error {
  readonly top: Position;

  constructor(top: Position) {
    super(`the channel is at offset ${top.offset} of epoch ${top.epoch}`);
    this.name = 'PositionConflict';
    this.top = top;
  }
}

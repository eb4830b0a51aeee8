/**
 * What the log's main side and its worker say to each other. Requests are answered one by one, in
 * order. All time comes from the main side, so that the worker needs no clock.
 */

/** Given to the worker as it starts; it answers `Opened` or `Refused` before anything else. */
export interface WorkerStart {
  readonly dataDir: string;
  /** Taken as the log's generation where it is new or a copy. */
  readonly generation: string;
  readonly idempotencyWindowMs: number;
  readonly channelMetaTtlMs: number;
}

export type Request = Turn | { readonly kind: 'close' };
export type Answer = Opened | Refused | TurnDone;

export interface Opened {
  readonly kind: 'opened';
  readonly generation: string;
  /** The folder is a copy or was restored: a new generation began, and every epoch with it. */
  readonly isCopy: boolean;
}

export interface Refused {
  readonly kind: 'refused';
  /** Why the log could not be opened, or cannot go on. The thread ends; turns without an answer have an unknown outcome. */
  readonly fault: FaultData;
}

export interface FaultData {
  readonly message: string;
  readonly retryable: boolean;
}

/** Writes go as one transaction; reads are answered after its end, whatever that was. */
export interface Turn {
  readonly kind: 'turn';
  readonly nowMs: number;
  readonly writes: readonly Write[];
  /** The payloads of the publish writes, one behind the other. One buffer, handed over, not copied. */
  readonly payloads: Uint8Array;
  readonly reads: readonly Read[];
  /** Also do one bounded step of forgetting what is past its age. */
  readonly sweep: boolean;
}

export type Write = PublishWrite | RemoveWrite;

export interface PublishWrite {
  readonly kind: 'publish';
  readonly channel: string;
  readonly atMs: number;
  readonly payloadBytes: number;
  readonly envelope: string | null;
  /** Idempotency key. */
  readonly key: string | null;
  /** Null: appended to no log. */
  readonly retention: { readonly size: number; readonly ttlMs: number } | null;
  readonly expected: { readonly offset: number; readonly epoch: string } | null;
}

export interface RemoveWrite {
  readonly kind: 'remove';
  readonly channel: string;
}

export interface Read {
  readonly channel: string;
  /** Only offsets after it (before it, when `reverse`). */
  readonly since: number | null;
  readonly limit: number;
  /** Null: no bound. */
  readonly bytesMax: number | null;
  readonly reverse: boolean;
}

export interface TurnDone {
  readonly kind: 'turn';
  /** Three numbers a write: code, offset, life (see `outcomeCodes`). A fault: nothing of the turn is known to be written. */
  readonly outcomes: Float64Array | FaultData;
  /** In the order of the reads, and perhaps fewer: the rest found no time in this turn, and is asked again. */
  readonly pages: readonly (Page | FaultData)[];
  /** The sweep left work behind. */
  readonly sweepAgain: boolean;
}

export const outcomeCodes = {
  /** No log: offset and life mean nothing. */
  passed: 0,
  appended: 1,
  duplicate: 2,
  /** A duplicate whose first outcome had no position. */
  duplicatePassed: 3,
  /** Offset and life are those of the channel's top. */
  conflict: 4,
} as const;

export interface Page {
  readonly top: number;
  readonly life: number;
  readonly rows: readonly Row[];
  /** Of the rows' payloads and envelopes. */
  readonly bytes: number;
}

/** Offset, time, payload, envelope. */
export type Row = [number, number, Uint8Array, string | null];

export function isFaultData(value: object): value is FaultData {
  return 'retryable' in value;
}

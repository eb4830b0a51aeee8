import type { FaultData, Page, Read, Turn, Write } from './sqlite-messages.ts';

/** A write on its way: what the worker is told, and whom to answer. */
export interface PendingWrite {
  readonly write: Write;
  readonly data: Uint8Array;
  /** Counts against the bound until settled. */
  readonly bytes: number;
  settle(code: number, offset: number, life: number): void;
  fail(fault: FaultData): void;
}

export interface PendingRead {
  readonly read: Read;
  settle(page: Page): void;
  fail(fault: FaultData): void;
}

/** A turn as it was sent, with those who wait for it. */
export interface SentTurn {
  readonly turn: Turn;
  readonly writes: readonly PendingWrite[];
  readonly reads: readonly PendingRead[];
}

export interface TurnBounds {
  readonly turnWritesMax: number;
  readonly turnBytesMax: number;
  readonly turnReadsMax: number;
}

/** What waits for the log's worker, in the order of the calls, cut into turns. Pure. */
export class TurnQueue {
  readonly #bounds: TurnBounds;
  #writes: PendingWrite[] = [];
  #reads: PendingRead[] = [];
  #bytes = 0;

  constructor(bounds: TurnBounds) {
    this.#bounds = bounds;
  }

  /** Bytes of the writes that wait here; what was sent is the caller's to count. */
  get bytes(): number {
    return this.#bytes;
  }

  get reads(): number {
    return this.#reads.length;
  }

  get isEmpty(): boolean {
    return this.#writes.length === 0 && this.#reads.length === 0;
  }

  /** A turn could not hold more: nothing is gained by waiting. */
  get isFull(): boolean {
    return this.#writes.length >= this.#bounds.turnWritesMax || this.#bytes >= this.#bounds.turnBytesMax;
  }

  addWrite(write: PendingWrite): void {
    this.#writes.push(write);
    this.#bytes += write.bytes;
  }

  addRead(read: PendingRead): void {
    this.#reads.push(read);
  }

  /** Reads that a turn had no time for: they are the oldest, and go with the next. */
  putBack(reads: readonly PendingRead[]): void {
    this.#reads.unshift(...reads);
  }

  /** The next turn, oldest first. At least one write goes, however large. */
  take(nowMs: number, sweep: boolean): SentTurn {
    const writes = this.#takeWrites();
    const reads = this.#reads.splice(0, this.#bounds.turnReadsMax);
    const turn: Turn = {
      kind: 'turn',
      nowMs,
      writes: writes.map(({ write }) => write),
      payloads: concatenate(writes.map(({ data }) => data)),
      reads: reads.map(({ read }) => read),
      sweep,
    };
    return { turn, writes, reads };
  }

  /** Everything that waits, as one list to be failed. */
  takeAll(): { fail(fault: FaultData): void }[] {
    const all = [...this.#writes, ...this.#reads];
    this.#writes = [];
    this.#reads = [];
    this.#bytes = 0;
    return all;
  }

  #takeWrites(): PendingWrite[] {
    const { turnWritesMax, turnBytesMax } = this.#bounds;
    let count = 0;
    let bytes = 0;
    for (const { bytes: more } of this.#writes) {
      if (count === turnWritesMax || (count > 0 && bytes + more > turnBytesMax)) break;
      bytes += more;
      count++;
    }
    this.#bytes -= bytes;
    return this.#writes.splice(0, count);
  }
}

/** Into a buffer of its own: the payloads may be views into buffers that must not be handed over. */
function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole;
}

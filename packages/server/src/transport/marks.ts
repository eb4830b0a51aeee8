/** A question to the peer on its way, and what it will tell when its answer comes back. */
export interface Mark {
  readonly number: number;
  /** Bytes before it: since the beginning, and of them unconfirmed when it left. */
  readonly position: number;
  readonly aheadBytes: number;
  readonly sentAtMs: number;
}

/** Bytes on their way to one peer, and the marks between them. */
export class Marks {
  /** Since the beginning, and how many of them the peer is known to have taken. */
  #sent = 0;
  #confirmed = 0;
  /** Oldest first. Bounded by the window: the queue sends none while it is full. */
  #waiting: Mark[] | undefined;
  #lastNumber = 0;

  get unconfirmed(): number {
    return this.#sent - this.#confirmed;
  }

  /** Marks that did not come back yet. */
  get waiting(): number {
    return this.#waiting?.length ?? 0;
  }

  sent(bytes: number): void {
    this.#sent += bytes;
  }

  /** A mark leaves, behind all that was sent. Returns its number, of 32 bits. */
  add(nowMs: number): number {
    this.#lastNumber = (this.#lastNumber + 1) >>> 0;
    const aheadBytes = this.unconfirmed;
    const mark = { number: this.#lastNumber, position: this.#sent, aheadBytes, sentAtMs: nowMs };
    (this.#waiting ??= []).push(mark);
    return mark.number;
  }

  /** The oldest came back. Undefined: none is on its way. */
  takeOldest(): Mark | undefined {
    return this.#take(0);
  }

  /** The one of this number came back, which is an answer to all before it. Undefined: it is not on its way. */
  take(number: number): Mark | undefined {
    return this.#take(this.#waiting?.findIndex((mark) => mark.number === number) ?? -1);
  }

  #take(index: number): Mark | undefined {
    const mark = this.#waiting?.[index];
    if (this.#waiting === undefined || mark === undefined) return undefined;
    this.#waiting.splice(0, index + 1);
    if (this.#waiting.length === 0) this.#waiting = undefined;
    this.#confirmed = mark.position;
    return mark;
  }
}

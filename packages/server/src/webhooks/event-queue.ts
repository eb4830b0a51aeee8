/** One event as it is sent: a JSON object on one line. */
export interface QueuedEvent {
  readonly line: Uint8Array;
  /** When it happened, as `Clock.monotonic` tells it. */
  readonly atMs: number;
}

/** What an entry costs besides its text: the object, its place, the slice of a buffer. */
const overheadBytes = 128;
/** Places at the front that are given up before the array is made anew. */
const slackMax = 1_024;

/** Events that wait for one webhook, oldest first. Counts bytes; the bound is the caller's. */
export class EventQueue {
  #events: (QueuedEvent | undefined)[] = [];
  #head = 0;
  #bytes = 0;
  /** Number of the oldest event since the start: tells whether a batch made earlier is still here. */
  #firstNumber = 0;

  get length(): number {
    return this.#events.length - this.#head;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get firstNumber(): number {
    return this.#firstNumber;
  }

  get oldest(): QueuedEvent | undefined {
    return this.#events[this.#head];
  }

  push(event: QueuedEvent): void {
    this.#events.push(event);
    this.#bytes += event.line.length + overheadBytes;
  }

  shift(): QueuedEvent | undefined {
    const event = this.#events[this.#head];
    if (event === undefined) return undefined;
    this.#events[this.#head] = undefined;
    this.#head += 1;
    this.#firstNumber += 1;
    this.#bytes -= event.line.length + overheadBytes;
    if (this.#head > slackMax && this.#head * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#head);
      this.#head = 0;
    }
    return event;
  }

  /** The oldest, as many as fit; one always does. They stay. */
  peek(countMax: number, bytesMax: number): QueuedEvent[] {
    const batch: QueuedEvent[] = [];
    let bytes = 0;
    for (let i = this.#head; i < this.#events.length && batch.length < countMax; i += 1) {
      const event = this.#events[i];
      if (event === undefined) break;
      bytes += event.line.length + 1;
      if (bytes > bytesMax && batch.length > 0) break;
      batch.push(event);
    }
    return batch;
  }
}

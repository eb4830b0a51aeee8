import type { Clock } from './clock.ts';

/** Something with output that waits for the next flush. */
export interface Flushable {
  /** Owned by the scheduler. */
  flushPending: boolean;
  /** Never throws. */
  flush(): void;
}

/**
 * Decides when waiting output leaves, so that many deliveries share one write.
 *
 * Idle: at the end of this turn of the loop. Busy: the next flush waits for as long as the last
 * one took, at most `delayMaxMs`; so flushing never takes more than about half of the loop, and
 * latency is given only when throughput is needed (docs/decisions/0005).
 *
 * Channels are flushed before connections: a channel's batch joins the queues of its connections,
 * then every connection leaves in one write.
 */
export class FlushScheduler {
  readonly #clock: Clock;
  readonly #delayMaxMs: number;
  readonly #bug: (error: unknown) => void;
  readonly #flushed: (ms: number) => void;
  #channels: Flushable[] = [];
  #connections: Flushable[] = [];
  /** A flush is scheduled, or running: what comes in before its connections are reached joins it. */
  #scheduled = false;
  #notBefore = 0;

  /** `bug` hears of a flush that threw, which should be impossible; `flushed` how long each took. */
  constructor(
    clock: Clock,
    delayMaxMs: number,
    bug: (error: unknown) => void,
    flushed: (ms: number) => void = () => undefined,
  ) {
    this.#flushed = flushed;
    this.#clock = clock;
    this.#bug = bug;
    this.#delayMaxMs = delayMaxMs;
  }

  channel(item: Flushable): void {
    if (item.flushPending) return;
    item.flushPending = true;
    this.#channels.push(item);
    this.#schedule();
  }

  connection(item: Flushable): void {
    if (item.flushPending) return;
    item.flushPending = true;
    this.#connections.push(item);
    this.#schedule();
  }

  /** Everything that waits leaves now. */
  flush(): void {
    const wasScheduled = this.#scheduled;
    this.#scheduled = true;
    const started = this.#clock.monotonic();
    const channels = this.#channels;
    this.#channels = [];
    for (const channel of channels) this.#flushOne(channel);
    const connections = this.#connections;
    this.#connections = [];
    for (const connection of connections) this.#flushOne(connection);
    const ended = this.#clock.monotonic();
    this.#notBefore = ended + Math.min(ended - started, this.#delayMaxMs);
    this.#scheduled = wasScheduled;
    this.#flushed(ended - started);
    if (this.#channels.length + this.#connections.length > 0) this.#schedule();
  }

  /** One that fails must not hold up the others, now or ever after. */
  #flushOne(item: Flushable): void {
    item.flushPending = false;
    try {
      item.flush();
    } catch (error) {
      this.#bug(error);
    }
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const wait = this.#notBefore - this.#clock.monotonic();
    const run = (): void => {
      this.#scheduled = false;
      this.flush();
    };
    // A timer cannot wait less than a millisecond; below that the end of the turn is nearer.
    if (wait >= 1) this.#clock.after(wait, run);
    else this.#clock.soon(run);
  }
}

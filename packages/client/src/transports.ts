import type { Clock } from './platform.ts';

/** In the order in which they are worth trying. */
export const transportNames = ['websocket', 'http_stream', 'sse'] as const;
export type TransportName = (typeof transportNames)[number];

/** Attempts in a row that a server must leave unanswered before another way is tried. */
const failuresMax = 2;
/** Where this way has worked before: then it is rather the server that is away, and all its clients with it. */
const failuresMaxOfWorking = 5;
/** The first choice is tried again so much later; after each failure twice as much. */
const retryMsMin = 60_000;
const retryMsMax = 60 * 60_000;

/**
 * Which way to the server is tried next (CON-7). A browser does not say why a WebSocket failed, so what
 * counts is whether the server ever answered: a way that it did not, some times in a row, gives way to
 * the next. The one that works is kept, and the first choice tried again later.
 */
export class TransportChoice {
  readonly #names: readonly TransportName[];
  readonly #clock: Clock;
  readonly #worked = new Set<TransportName>();
  #index = 0;
  #failures = 0;
  /** The way that works while the first choice is tried again. */
  #refuge: number | undefined;
  #retryMs = retryMsMin;
  #retryAt = 0;

  constructor(names: readonly TransportName[], clock: Clock) {
    this.#names = names;
    this.#clock = clock;
  }

  get current(): TransportName {
    return this.#names[this.#index] as TransportName;
  }

  get first(): TransportName | undefined {
    return this.#names[0];
  }

  /** More than one way is left to try. */
  get hasOthers(): boolean {
    return this.#names.length > 1;
  }

  /** Milliseconds until the first choice is to be tried again; undefined while it is the one in use. */
  get retryInMs(): number | undefined {
    return this.#index === 0 ? undefined : Math.max(0, this.#retryAt - this.#clock.monotonic());
  }

  /** The way of the next attempt. */
  next(): TransportName {
    if (this.retryInMs === 0 && this.#worked.has(this.current)) this.retry();
    return this.current;
  }

  /** The first choice has its turn again. */
  retry(): void {
    this.#refuge = this.#index;
    this.#index = 0;
    this.#failures = 0;
  }

  /** The server answered. */
  worked(): void {
    this.#failures = 0;
    this.#worked.add(this.current);
    if (this.#index === 0) this.#retryMs = retryMsMin;
    else if (this.#retryAt <= this.#clock.monotonic()) this.postpone();
    this.#refuge = undefined;
  }

  /** The first choice still does not work. */
  postpone(): void {
    this.#retryAt = this.#clock.monotonic() + this.#retryMs;
    this.#retryMs = Math.min(retryMsMax, this.#retryMs * 2);
  }

  /** An attempt ended unanswered. `isHopeless`: no further one this way is worth it. */
  failed(isHopeless = false): void {
    this.#failures++;
    const max = this.#worked.has(this.current) ? failuresMaxOfWorking : failuresMax;
    if (!isHopeless && this.#refuge === undefined && this.#failures < max) return;
    this.#failures = 0;
    this.#index = this.#refuge ?? (this.#index + 1) % this.#names.length;
    if (this.#refuge !== undefined) this.postpone();
    this.#refuge = undefined;
  }
}

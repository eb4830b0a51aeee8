import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';

/** So many failures one after another open it. */
export const failuresInRowMax = 5;
/** Or half of the last so many. */
const outcomesKept = 20;
const failureShareMax = 0.5;
/** How long it stays open the first time; then twice as long, up to the longest. */
const openMsMin = 1_000;
export const openMsMax = 30_000;

/** Names one try that was let through. */
export type Ticket = number;

/**
 * Spares an application that fails the calls of everybody, and everybody the wait: while it is `open` nothing is
 * let through. Then one try goes ahead (`half_open`), and what becomes of it decides.
 */
export class CircuitBreaker {
  readonly #clock: Clock;
  readonly #random: Random;
  #state: 'closed' | 'open' | 'half_open' = 'closed';
  /** Newest last; true: failed. */
  #outcomes: boolean[] = [];
  #openMs = openMsMin;
  #openUntilMs = 0;
  /** Outcomes of tries that began before the state last changed say nothing of now. */
  #since: Ticket = 0;
  #tickets: Ticket = 0;

  constructor(seams: { readonly clock: Clock; readonly random: Random }) {
    this.#clock = seams.clock;
    this.#random = seams.random;
  }

  get state(): 'closed' | 'open' | 'half_open' {
    return this.#state;
  }

  /** Undefined: do not ask now. Each ticket is settled once. */
  admit(): Ticket | undefined {
    if (this.#state === 'half_open') return undefined;
    if (this.#state === 'open') {
      if (this.#clock.monotonic() < this.#openUntilMs) return undefined;
      this.#become('half_open');
    }
    this.#tickets += 1;
    return this.#tickets;
  }

  settle(ticket: Ticket, hasFailed: boolean): void {
    if (ticket <= this.#since) return;
    if (this.#state === 'half_open') {
      if (hasFailed) this.#open();
      else this.#close();
      return;
    }
    this.#outcomes.push(hasFailed);
    if (this.#outcomes.length > outcomesKept) this.#outcomes.shift();
    if (hasFailed && this.#hasFailedTooOften()) this.#open();
  }

  #hasFailedTooOften(): boolean {
    const outcomes = this.#outcomes;
    if (outcomes.length >= failuresInRowMax && outcomes.slice(-failuresInRowMax).every(Boolean)) return true;
    return outcomes.length === outcomesKept && outcomes.filter(Boolean).length >= outcomesKept * failureShareMax;
  }

  #open(): void {
    this.#become('open');
    // Up to a quarter sooner, so that the nodes of a cluster do not try in step.
    this.#openUntilMs = this.#clock.monotonic() + this.#openMs * (1 - this.#random.next() / 4);
    this.#openMs = Math.min(openMsMax, this.#openMs * 2);
  }

  #close(): void {
    this.#become('closed');
    this.#openMs = openMsMin;
  }

  #become(state: 'closed' | 'open' | 'half_open'): void {
    this.#state = state;
    this.#outcomes = [];
    this.#since = this.#tickets;
  }
}

import type { Clock, Timer } from '@tutti/server/internal';

const stepsMaxDefault = 1_000_000;

/**
 * Time that moves only when a test says so.
 *
 * Order: callbacks run one at a time. `soon` callbacks are ready at once, first come first served;
 * a timer becomes ready when time reaches it, timers of the same moment in the order they were
 * set. `step(choice)` lets a test run any of the ready ones first, to try every interleaving.
 * A callback that throws ends the call that ran it; the clock stays usable.
 */
export class VirtualClock implements Clock {
  #elapsedMs = 0;
  #wallMs: number;
  #workMs = 0;
  #sequence = 0;
  readonly #ready: Entry[] = [];
  readonly #timers: TimerEntry[] = [];
  readonly #stepsMax: number;

  /** `nowMs`: wall time at the start. `stepsMax`: callbacks one call may run before it is called an endless loop. */
  constructor(options: { nowMs?: number; stepsMax?: number } = {}) {
    this.#wallMs = options.nowMs ?? Date.UTC(2026, 0, 1);
    this.#stepsMax = options.stepsMax ?? stepsMaxDefault;
  }

  now(): number {
    return Math.floor(this.#wallMs + this.#elapsedMs);
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  idle(): number {
    return this.#elapsedMs - this.#workMs;
  }

  after(ms: number, fn: () => void): Timer {
    // Like Node: not sooner than the next turn, and a span that is no number counts as none.
    const entry = new TimerEntry(fn, this.#elapsedMs + (ms > 0 ? ms : 0), this.#sequence++);
    insertInOrder(this.#timers, entry);
    return entry;
  }

  soon(fn: () => void): void {
    this.#ready.push(new Entry(fn));
  }

  /** The wall clock is set to another time; spans and timers do not notice. */
  jumpWall(byMs: number): void {
    this.#wallMs += byMs;
  }

  /** Work takes this long: called inside a callback, nothing else runs meanwhile. */
  pass(ms: number): void {
    this.#elapsedMs += ms;
    this.#workMs += ms;
  }

  /** Timers set and neither fired nor cancelled: a test may ask that nothing leaks. */
  get timers(): number {
    return this.#timers.reduce((sum, timer) => sum + (timer.isDone ? 0 : 1), 0);
  }

  /** Callbacks that could run now: what `step` chooses from. */
  get ready(): number {
    this.#collectDue();
    return this.#ready.length;
  }

  /** When the next timer is due, as `monotonic` tells it. */
  get nextTimerMs(): number | undefined {
    return this.#timers.find((timer) => !timer.isDone)?.dueMs;
  }

  /** Runs one of the callbacks that are ready now; false where there is none. Time stands still. */
  step(choice = 0): boolean {
    if (this.ready === 0) return false;
    const [entry] = this.#ready.splice(choice % this.#ready.length, 1);
    entry?.run();
    return true;
  }

  /** Moves time on by `ms`, running what is or becomes ready, each at its own moment. */
  advance(ms: number): void {
    const untilMs = this.#elapsedMs + ms;
    let steps = 0;
    do {
      while (this.step()) this.#boundSteps(++steps);
    } while (this.#moveTo(untilMs));
  }

  /** Like `advance`; promises settle before the first callback and after each. */
  async advanceAsync(ms: number): Promise<void> {
    const untilMs = this.#elapsedMs + ms;
    let steps = 0;
    await settled();
    do {
      while (this.step()) {
        this.#boundSteps(++steps);
        await settled();
      }
    } while (this.#moveTo(untilMs));
  }

  /** Runs everything, moving time as far as timers ask. Throws where they go on for ever. */
  runUntilIdle(): void {
    let steps = 0;
    do {
      while (this.step()) this.#boundSteps(++steps);
    } while (this.#moveTo(this.nextTimerMs));
  }

  async runUntilIdleAsync(): Promise<void> {
    let steps = 0;
    await settled();
    do {
      while (this.step()) {
        this.#boundSteps(++steps);
        await settled();
      }
    } while (this.#moveTo(this.nextTimerMs));
  }

  /** Moves to the next timer, or to `untilMs` where that comes first; false when already there with nothing due. */
  #moveTo(untilMs: number | undefined): boolean {
    if (untilMs === undefined) return false;
    const nextMs = this.nextTimerMs;
    if (nextMs === undefined || nextMs > untilMs) {
      this.#elapsedMs = Math.max(this.#elapsedMs, untilMs);
      return false;
    }
    this.#elapsedMs = Math.max(this.#elapsedMs, nextMs);
    return true;
  }

  #collectDue(): void {
    while (this.#timers[0] !== undefined && (this.#timers[0].isDone || this.#timers[0].dueMs <= this.#elapsedMs)) {
      const timer = this.#timers.shift();
      if (timer !== undefined && !timer.isDone) this.#ready.push(timer);
    }
    // A timer may be cancelled between becoming ready and its turn.
    for (let i = this.#ready.length - 1; i >= 0; i--) if (this.#ready[i]?.isDone) this.#ready.splice(i, 1);
  }

  #boundSteps(steps: number): void {
    if (steps > this.#stepsMax)
      throw new Error(`still not idle after ${this.#stepsMax} callbacks: is one setting itself again?`);
  }
}

class Entry {
  #fn: (() => void) | undefined;

  constructor(fn: () => void) {
    this.#fn = fn;
  }

  get isDone(): boolean {
    return this.#fn === undefined;
  }

  run(): void {
    const fn = this.#fn;
    this.#fn = undefined;
    fn?.();
  }

  cancel(): void {
    this.#fn = undefined;
  }
}

class TimerEntry extends Entry implements Timer {
  readonly dueMs: number;
  readonly sequence: number;

  constructor(fn: () => void, dueMs: number, sequence: number) {
    super(fn);
    this.dueMs = dueMs;
    this.sequence = sequence;
  }
}

/** Sequence numbers only grow, so an entry goes behind all others of its moment. */
function insertInOrder(timers: TimerEntry[], entry: TimerEntry): void {
  let low = 0;
  let high = timers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((timers[middle] as TimerEntry).dueMs <= entry.dueMs) low = middle + 1;
    else high = middle;
  }
  timers.splice(low, 0, entry);
}

/** One turn of the real loop: every promise callback that can run has run. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

import type { Clock, Timer } from './clock.ts';

/** What the wheel wakes. It keeps its own slot, so that leaving costs no search. */
export interface Wakeable {
  /** -1: not on the wheel. Owned by the wheel. */
  wheelSlot: number;
  /** Time has come. Never throws. May put itself on the wheel again. */
  wake(nowMs: number): void;
}

const slots = 256;
const tickMs = 250;
/** Ticks that may be missed before it counts as a pause. */
const lateTicks = 8;

/**
 * One timer for all connections: heartbeats and expiries need no precision, and a timer of its own
 * for each of 100,000 connections costs more than the connection (rule 3 of the hot path).
 *
 * Resolution: 250 ms, never early. Later than one turn of the wheel (64 s): the item is woken at
 * the end of the turn, sees that its time has not come, and sets itself again.
 */
export class TimerWheel {
  readonly #clock: Clock;
  readonly #wheel: Set<Wakeable>[] = Array.from({ length: slots }, () => new Set());
  #position = 0;
  #size = 0;
  #wasLate = false;
  #timer: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Wakes `item` once, `ms` from now; replaces what was set before. */
  set(item: Wakeable, ms: number): void {
    this.remove(item);
    if (this.#timer === undefined) this.#start();
    const due = Math.ceil((this.#clock.monotonic() + ms) / tickMs);
    const turn = Math.min(Math.max(due, this.#position + 1), this.#position + slots - 1);
    item.wheelSlot = turn % slots;
    this.#wheel[item.wheelSlot]?.add(item);
    this.#size += 1;
  }

  remove(item: Wakeable): void {
    if (item.wheelSlot === -1) return;
    this.#wheel[item.wheelSlot]?.delete(item);
    item.wheelSlot = -1;
    this.#size -= 1;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #start(): void {
    this.#position = Math.floor(this.#clock.monotonic() / tickMs);
    this.#timer = this.#clock.after(tickMs, () => {
      this.#tick();
    });
  }

  #tick(): void {
    // With nobody to wake, the wheel stands still until somebody comes.
    this.#timer = undefined;
    if (this.#size === 0) return;
    this.#timer = this.#clock.after(tickMs, () => {
      this.#tick();
    });
    const now = this.#clock.monotonic();
    const target = Math.floor(now / tickMs);
    // After a pause (SIGSTOP, a long collection) what peers sent meanwhile lies unread: it is heard before anybody is judged.
    const isLate = target - this.#position > lateTicks && !this.#wasLate;
    this.#wasLate = isLate;
    if (isLate) return;
    // After a long pause (SIGSTOP, a suspended laptop) one turn visits every slot; more would only repeat.
    this.#position = Math.max(this.#position, target - slots);
    while (this.#position < target) {
      this.#position += 1;
      this.#wakeSlot(this.#position % slots, now);
    }
  }

  #wakeSlot(slot: number, now: number): void {
    const due = this.#wheel[slot];
    if (due === undefined || due.size === 0) return;
    this.#wheel[slot] = new Set();
    for (const item of due) {
      // Taken off, or put elsewhere, by one that was woken before it.
      if (item.wheelSlot !== slot || this.#wheel[slot]?.has(item)) continue;
      item.wheelSlot = -1;
      this.#size -= 1;
      item.wake(now);
    }
  }
}

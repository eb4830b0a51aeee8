/**
 * Events a second over the last few seconds, in one-second buckets: constant memory whatever the
 * rate, and the running second is left out because it is not complete.
 */
export class RateMeter {
  readonly #counts: number[];
  #second: number;
  readonly #startedMs: number;

  constructor(windowSeconds: number, nowMs: number) {
    this.#counts = new Array<number>(windowSeconds + 1).fill(0);
    this.#second = Math.floor(nowMs / 1000);
    this.#startedMs = nowMs;
  }

  add(nowMs: number, count = 1): void {
    this.#advance(nowMs);
    const index = this.#second % this.#counts.length;
    this.#counts[index] = (this.#counts[index] ?? 0) + count;
  }

  perSecond(nowMs: number): number {
    this.#advance(nowMs);
    // The second in which it began is no complete one either.
    const complete = Math.min(this.#second - Math.floor(this.#startedMs / 1000) - 1, this.#counts.length - 1);
    if (complete <= 0) return this.#total() / Math.max(1, (nowMs - this.#startedMs) / 1000);
    let sum = 0;
    for (let back = 1; back <= complete; back += 1) {
      sum += this.#counts[(this.#second - back) % this.#counts.length] ?? 0;
    }
    return sum / complete;
  }

  #total(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  #advance(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    if (second <= this.#second) return;
    const steps = Math.min(second - this.#second, this.#counts.length);
    for (let step = 0; step < steps; step += 1) this.#counts[(second - step) % this.#counts.length] = 0;
    this.#second = second;
  }
}

/**
 * Events a second over the last few seconds, in one-second buckets: constant memory whatever the
 * rate, and the running second is left out because it is not complete.
 */
export class RateMeter {
  readonly #counts: number[];
  #second: number;
  readonly #startedSecond: number;

  constructor(windowSeconds: number, nowMs: number) {
    this.#counts = new Array<number>(windowSeconds + 1).fill(0);
    this.#second = Math.floor(nowMs / 1000);
    this.#startedSecond = this.#second;
  }

  add(nowMs: number, count = 1): void {
    this.#advance(nowMs);
    const index = this.#second % this.#counts.length;
    this.#counts[index] = (this.#counts[index] ?? 0) + count;
  }

  perSecond(nowMs: number): number {
    this.#advance(nowMs);
    const complete = Math.min(this.#second - this.#startedSecond, this.#counts.length - 1);
    if (complete <= 0) return this.#counts[this.#second % this.#counts.length] ?? 0;
    let sum = 0;
    for (let back = 1; back <= complete; back += 1) {
      sum += this.#counts[(this.#second - back) % this.#counts.length] ?? 0;
    }
    return sum / complete;
  }

  #advance(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    if (second <= this.#second) return;
    const steps = Math.min(second - this.#second, this.#counts.length);
    for (let step = 0; step < steps; step += 1) this.#counts[(second - step) % this.#counts.length] = 0;
    this.#second = second;
  }
}

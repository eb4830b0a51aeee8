/** Lets so many in at a time, the others in the order in which they came. Who waits is bounded by who asks. */
export class AppendGate {
  readonly #max: number;
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** Undefined: at once. */
  enter(): Promise<void> | undefined {
    if (this.#inside < this.#max) {
      this.#inside++;
      return undefined;
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#inside--;
    else next();
  }
}

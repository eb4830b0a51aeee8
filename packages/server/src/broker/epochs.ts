/**
 * Names for the lives of channels, so that an (epoch, offset) pair never names two publications (DEL-3).
 *
 * An epoch is `<generation>.<life>`. The generation is random, one for each time the log began anew
 * or was copied. The life is a number that grows when a channel is forgotten, and only if that
 * channel was of the current life: whoever is born later differs from it, and channels that are
 * still empty need no state of their own, because they are of the current life until their first
 * publication. Under churn the life so grows once for each turnover of all channels, not once for
 * each channel forgotten. All channels of one life share one string.
 */
export class Epochs {
  readonly generation: string;
  #life: number;
  #current: string;
  #known: string | undefined;
  #knownLife = -1;

  constructor(generation: string, life = 0) {
    this.generation = generation;
    this.#life = life;
    this.#current = this.#name(life);
  }

  /** Of channels that have no publication yet. */
  get current(): string {
    return this.#current;
  }

  get life(): number {
    return this.#life;
  }

  /** A channel of this life is forgotten. True: a new life began. */
  forget(life: number): boolean {
    if (life !== this.#life) return false;
    this.#life++;
    this.#current = this.#name(this.#life);
    return true;
  }

  epochOf(life: number): string {
    if (life === this.#life) return this.#current;
    if (life !== this.#knownLife || this.#known === undefined) {
      this.#knownLife = life;
      this.#known = this.#name(life);
    }
    return this.#known;
  }

  #name(life: number): string {
    return `${this.generation}.${life}`;
  }
}

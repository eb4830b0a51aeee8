/** Senders whose sequence is remembered; those heard longest ago are forgotten first. */
const sendersMax = 4_000;

/** Takes each message once, and none that is older than one taken before: nobody can play a recorded one again (S25). */
export class Sequences {
  readonly #newest = new Map<string, number>();

  /** `way`: sender and destination. False: seen, or overtaken by a newer one. */
  take(way: string, sequence: number): boolean {
    const newest = this.#newest.get(way);
    if (newest !== undefined && sequence <= newest) return false;
    // Last in the map again: the first is the one heard longest ago.
    this.#newest.delete(way);
    this.#newest.set(way, sequence);
    if (this.#newest.size > sendersMax) {
      for (const oldest of this.#newest.keys()) {
        this.#newest.delete(oldest);
        break;
      }
    }
    return true;
  }
}

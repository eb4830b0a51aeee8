import type { Random } from '@tutti/server/internal';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const idLength = 22;

/**
 * Chance that repeats: the same seed gives the same sequence on every machine. The generator is
 * Chris Doty-Humphrey's sfc32, with the seed spread over its state by mixing rounds.
 */
export class SeededRandom implements Random {
  readonly seed: number;
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    this.seed = seed;
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 0x1_0000_0000) | 0;
    this.#c = 0x2545f491;
    for (let i = 0; i < 12; i++) this.uint32();
  }

  /** Uniform in [0, 2^32). */
  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }

  next(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** Shaped like a node's id, unique within a run, but guessable: for tests only. */
  id(): string {
    let id = '';
    while (id.length < idLength) {
      let bits = this.uint32();
      for (let i = 0; i < 5 && id.length < idLength; i++, bits >>>= 6) id += alphabet.charAt(bits & 63);
    }
    return id;
  }

  /** A whole number in [0, below). */
  int(below: number): number {
    return Math.floor(this.next() * below);
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new RangeError('nothing to pick from');
    return list[this.int(list.length)] as T;
  }

  /** In place. */
  shuffle<T>(list: T[]): T[] {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      const held = list[i] as T;
      list[i] = list[j] as T;
      list[j] = held;
    }
    return list;
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.uint32() & 0xff;
    return bytes;
  }

  /** An independent sequence, so that one part's use of chance does not shift another's. */
  fork(): SeededRandom {
    return new SeededRandom(this.uint32() * 0x20_0000 + (this.uint32() >>> 11));
  }
}

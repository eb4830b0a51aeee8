import { randomFillSync } from 'node:crypto';
import type { Random } from '../core/random.ts';

const idBytes = 16;
/** One call into the system's generator fills this many ids: 4 KiB. */
const idsPerFill = 256;

/** The machine's chance. Ids come from the system's cryptographic generator, 128 bits each. */
export class SystemRandom implements Random {
  readonly #pool = Buffer.alloc(idBytes * idsPerFill);
  #used = this.#pool.length;

  next(): number {
    return Math.random();
  }

  id(): string {
    if (this.#used === this.#pool.length) {
      randomFillSync(this.#pool);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += idBytes;
    const id = this.#pool.toString('base64url', start, this.#used);
    // An id given out may be a secret; no second copy of it stays in the pool.
    this.#pool.fill(0, start, this.#used);
    return id;
  }
}

import { RedisFault } from './redis-fault.ts';

export type Wait = (replicas: number, ms: number) => Promise<unknown>;

const waitMs = 500;
/** While the replicas do not answer: everything else on the connection waits behind a WAIT. */
const failingWaitMs = 10;

/**
 * Asks one server whether replicas have what was written. A WAIT stands for all that was sent before it on
 * its connection, so one is under way at a time, and what is published meanwhile shares the next.
 */
export class ReplicaConfirm {
  readonly #replicas: number;
  readonly #wait: Wait;
  #underWay: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #isFailing = false;

  constructor(replicas: number, wait: Wait) {
    this.#replicas = replicas;
    this.#wait = wait;
  }

  /** Resolves when enough replicas have all that was sent until now. Rejects with `RedisFault`: nobody knows whether they will. */
  confirm(): Promise<void> {
    return (this.#next ??= this.#soon());
  }

  async #soon(): Promise<void> {
    // In a microtask at the earliest: what is published in this turn goes along.
    await this.#underWay?.catch(() => undefined);
    await Promise.resolve();
    this.#next = undefined;
    this.#underWay = this.#ask();
    await this.#underWay;
  }

  async #ask(): Promise<void> {
    const have = Number(await this.#wait(this.#replicas, this.#isFailing ? failingWaitMs : waitMs));
    this.#isFailing = have < this.#replicas;
    if (!this.#isFailing) return;
    throw new RedisFault(`redis: stored, but only ${have} of ${this.#replicas} replicas have it yet`);
  }
}

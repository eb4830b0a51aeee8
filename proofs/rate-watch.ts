import { readMetrics } from './metrics.ts';
import { pause } from './waiting.ts';

const everyMs = 250;

/** One look at the node's own count of connections it took. True at some moment between the two times. */
interface Look {
  readonly askedMs: number;
  readonly answeredMs: number;
  readonly opened: number;
}

/**
 * Whether a node takes connections no faster than configured, by its own count. What clients see would not
 * do: on a busy machine they see the connections of two seconds in one.
 */
export class RateWatch {
  readonly #url: string;
  readonly #looks: Look[] = [];
  #isOver = false;
  readonly #done: Promise<void>;

  constructor(url: string) {
    this.#url = url;
    this.#done = this.#watch();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  /** By how many the connections taken exceed burst and rate, over the worst span of any length; at most 0 is right. */
  overrun(rate: number, burst: number): number {
    let worst = -burst;
    for (const [i, from] of this.#looks.entries()) {
      for (const to of this.#looks.slice(i + 1)) {
        const allowed = burst + (rate * (to.answeredMs - from.askedMs)) / 1_000;
        worst = Math.max(worst, to.opened - from.opened - allowed);
      }
    }
    return Math.ceil(worst);
  }

  get looks(): number {
    return this.#looks.length;
  }

  async #watch(): Promise<void> {
    while (!this.#isOver) {
      const askedMs = performance.now();
      // A node that is being started again does not answer; the next look will.
      const opened = await readMetrics(this.#url).then(
        (metrics) => metrics.sum('tutti_connections_opened_total'),
        () => undefined,
      );
      if (opened !== undefined) this.#looks.push({ askedMs, answeredMs: performance.now(), opened });
      await pause(everyMs);
    }
  }
}

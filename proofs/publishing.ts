import type { Tutti } from '@tutti/client';
import type { Named } from './following.ts';
import { until } from './waiting.ts';

const goOnMsMax = 60_000;

export interface Acknowledged extends Named {
  readonly atMs: number;
}

/** Some publish to one channel through thick and thin. The SDK repeats what it may; what is refused is not repeated. */
export class Publishing {
  readonly acknowledged: Acknowledged[] = [];
  refused = 0;
  readonly #channel: string;
  #count = 0;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #waiting = new Set<Promise<void>>();

  constructor(channel: string) {
    this.#channel = channel;
  }

  add(tutti: Tutti, everyMs: number): void {
    this.#timers.push(setInterval(() => this.#publish(tutti), everyMs));
  }

  /** Resolves when so many more were acknowledged. */
  async more(count: number): Promise<void> {
    const goal = this.acknowledged.length + count;
    if (await until(() => this.acknowledged.length >= goal, goOnMsMax)) return;
    throw new Error(`publishing did not go on within ${goOnMsMax} ms`);
  }

  end(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Resolves when all that was sent has an answer. */
  async stop(): Promise<void> {
    this.end();
    await Promise.all(this.#waiting);
  }

  #publish(tutti: Tutti): void {
    const text = `message ${(this.#count += 1)}`;
    const sent = tutti.publish(this.#channel, { text }).then(
      ({ epoch, offset }) => {
        this.acknowledged.push({ position: `${epoch}/${offset}`, text, atMs: performance.now() });
      },
      () => {
        this.refused += 1;
      },
    );
    this.#waiting.add(sent);
    void sent.then(() => this.#waiting.delete(sent));
  }
}

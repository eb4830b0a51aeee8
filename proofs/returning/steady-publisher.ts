import { Tutti } from '@tutti/client';
import type { SpawnedNode } from '@tutti/testkit/spawn-node';

export interface Acknowledged {
  readonly channel: string;
  readonly offset: number;
  readonly number: number;
  readonly epoch: string;
}

export interface SteadyPublisherOptions {
  readonly namespace: string;
  readonly channels: number;
  readonly perSecond: number;
}

/** Long enough for a storm: what waits for a connection is not given up. */
const timeoutMs = 120_000;

/** Publishes numbers, channel by channel, whatever happens; the SDK repeats what is left unanswered, by its key. */
export class SteadyPublisher {
  readonly acknowledged: Acknowledged[] = [];
  readonly failed: string[] = [];
  duplicates = 0;
  /** Attempts to connect that came to nothing: each may be one that the server refused. */
  failedAttempts = 0;
  readonly #tutti: Tutti;
  readonly #timer: NodeJS.Timeout;
  readonly #waiting = new Set<Promise<void>>();
  /** Milliseconds from publish to acknowledgement, of those since the last `takeLatencies`. */
  #latencies: number[] = [];
  #count = 0;

  private constructor(tutti: Tutti, { namespace, channels, perSecond }: SteadyPublisherOptions) {
    this.#tutti = tutti;
    tutti.on('state', ({ from, to }) => {
      if (from === 'connecting' && to === 'waiting') this.failedAttempts += 1;
    });
    this.#timer = setInterval(() => {
      this.#count += 1;
      this.#publish(`${namespace}:${this.#count % channels}`, this.#count);
    }, 1_000 / perSecond);
  }

  static async start(node: SpawnedNode, options: SteadyPublisherOptions): Promise<SteadyPublisher> {
    const pendingMax = options.perSecond * (timeoutMs / 1_000);
    const tutti = new Tutti(node.wsUrl, { token: await node.token({ user: 'publisher' }), timeoutMs, pendingMax });
    tutti.on('error', () => undefined);
    return new SteadyPublisher(tutti, options);
  }

  /** Highest offset of each channel that was acknowledged. */
  get tops(): Record<string, number> {
    const tops: Record<string, number> = {};
    for (const { channel, offset } of this.acknowledged) tops[channel] = Math.max(tops[channel] ?? 0, offset);
    return tops;
  }

  takeLatencies(): number[] {
    const taken = this.#latencies;
    this.#latencies = [];
    return taken.sort((a, b) => a - b);
  }

  /** Resolves when everything is answered. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#waiting);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#tutti.close();
  }

  #publish(channel: string, number: number): void {
    const startedMs = performance.now();
    const sent = this.#tutti.publish(channel, { n: number }).then(
      ({ offset = 0, epoch = '', duplicate }) => {
        if (duplicate === true) this.duplicates += 1;
        this.#latencies.push(performance.now() - startedMs);
        this.acknowledged.push({ channel, offset, number, epoch });
      },
      (error: unknown) => {
        this.failed.push(error instanceof Error ? error.message : String(error));
      },
    );
    this.#waiting.add(sent);
    void sent.then(() => this.#waiting.delete(sent));
  }
}

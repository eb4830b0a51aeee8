import type { Clock, Timer } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import type { Random } from '../../core/random.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import type { NatsLink } from './nats-link.ts';
import type { GrantedStream } from './stream-set-up.ts';

export interface GrantedStreamsOptions {
  readonly link: NatsLink;
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Log;
  /** Makes or adjusts the streams, by namespace. `isFirst`: it never succeeded before. Throws `Fault`. */
  readonly setUp: (isFirst: boolean) => Promise<ReadonlyMap<string, GrantedStream>>;
  /** They were set up after a break, or for the first time after the start. */
  readonly returned: () => void;
}

const retryMs = 2_000;
const firstTriesMax = 8;
const firstRetryMs = 500;

/** The streams as NATS has them, set up at start and whenever NATS is there again: what is there then may be another's. */
export class GrantedStreams {
  readonly #options: GrantedStreamsOptions;
  #granted: ReadonlyMap<string, GrantedStream> | undefined;
  #settingUp: Promise<void> | undefined;
  #again: Timer | undefined;
  #isClosed = false;

  constructor(options: GrantedStreamsOptions) {
    this.#options = options;
  }

  /** They were set up once. */
  get isKnown(): boolean {
    return this.#granted !== undefined;
  }

  of(namespace: string): GrantedStream | undefined {
    return this.#granted?.get(namespace);
  }

  includes(stream: string): boolean {
    return [...(this.#granted?.values() ?? [])].some(({ name }) => name === stream);
  }

  /**
   * Several nodes that start at once make the same streams, and some are told of one that is not there yet, so a few
   * tries are made. Throws a lasting `Fault`; with any other it goes on trying later.
   */
  async first(): Promise<void> {
    const { link, clock, random } = this.#options;
    for (let tries = 1; ; tries++) {
      try {
        await this.#setUp();
        return;
      } catch (error) {
        if (error instanceof Fault && !error.retryable) throw error;
        if (tries === firstTriesMax || !link.isUp) {
          this.#failed(error);
          return;
        }
      }
      await new Promise<void>((resolve) => {
        clock.after(firstRetryMs * (0.5 + random.next()), resolve);
      });
    }
  }

  /** NATS is there again, or for the first time. Never rejects. */
  async again(): Promise<void> {
    try {
      await this.#setUp();
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (!this.#isClosed) this.#options.returned();
  }

  close(): void {
    this.#isClosed = true;
    this.#again?.cancel();
  }

  /** One at a time. */
  #setUp(): Promise<void> {
    this.#settingUp ??= this.#options
      .setUp(this.#granted === undefined)
      .then((granted) => {
        this.#granted = granted;
      })
      .finally(() => {
        this.#settingUp = undefined;
      });
    return this.#settingUp;
  }

  #failed(error: unknown): void {
    if (this.#isClosed) return;
    const { link, clock, log } = this.#options;
    const reason = error instanceof Error ? error.message : String(error);
    log?.error({ seam: 'broker', reason }, 'NATS cannot be used as it is; trying again');
    this.#again?.cancel();
    this.#again = clock.after(retryMs, () => {
      if (link.isUp) void this.again();
    });
  }
}

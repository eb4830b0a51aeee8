import type { Position, PublishResult } from '@tutti/protocol';
import { Emitter } from './emitter.ts';
import { iteratePublications } from './publication-iterator.ts';
import type { History, HistoryOptions, Members, PublishOptions, ReceivedPublication } from './requests.ts';
import {
  SubscriptionDriver,
  type SubscriptionHost,
  type SubscriptionOptions,
  type Why,
} from './subscription-driver.ts';
import type { SubscriptionEvents } from './subscription-events.ts';
import type { SubscriptionState } from './subscription-state.ts';
import { clientErrors, TuttiError } from './tutti-error.ts';

export type { SubscriptionHost, SubscriptionInlet, SubscriptionOptions } from './subscription-driver.ts';

/** Publications that may wait for a `for await` loop. */
const iteratorBufferMax = 1_000;

/** One channel, as this client follows it. Made by `tutti.subscribe()`. `T` is the type of its payloads. */
export class Subscription<T = unknown> extends Emitter<SubscriptionEvents<T>> {
  readonly channel: string;
  readonly #host: SubscriptionHost;
  readonly #driver: SubscriptionDriver;

  constructor(channel: string, options: SubscriptionOptions, host: SubscriptionHost) {
    super();
    this.channel = channel;
    this.#host = host;
    this.#driver = new SubscriptionDriver(channel, options, host, {
      subscription: this,
      tell: (name, event) => this.emit(name, event as SubscriptionEvents<T>[typeof name]),
      report: (error) => this.emitError(error),
    });
  }

  get state(): SubscriptionState {
    return this.#driver.state;
  }

  /** The last position seen; undefined where the channel has none. Kept by the application, it can be given as `since` later. */
  get position(): Position | undefined {
    return this.#driver.position;
  }

  /** Follows the channel (again): from the option `since`, or else from now on. Throws where another subscription has the channel, or the client is closed. */
  subscribe(): this {
    this.#driver.subscribe();
    return this;
  }

  unsubscribe(): void {
    this.#driver.unsubscribe();
  }

  /** Resolves once subscribed; rejects when the subscription ends first. */
  ready(): Promise<void> {
    if (this.state === 'subscribed') return Promise.resolve();
    return new Promise((resolve, reject) => {
      const ended = ({ code, reason }: Why): void => reject(new TuttiError(code || clientErrors.unsubscribed, reason));
      if (this.state === 'unsubscribed') {
        ended({ code: 0, reason: 'not subscribed' });
        return;
      }
      const off = this.on('state', (change) => {
        if (change.to === 'subscribing') return;
        off();
        if (change.to === 'subscribed') resolve();
        else ended(change);
      });
    });
  }

  /**
   * Changes how often publications come, while the subscription runs and for later: at most one in so
   * many milliseconds, of each key; 0 for all of them. Resolves to the interval that the server keeps.
   */
  setInterval(intervalMs: number): Promise<number> {
    this.#driver.intervalMs = intervalMs;
    const asked = this.#driver.intervalMs;
    // Unsubscribed: the next subscribe command will say it.
    if (this.state === 'unsubscribed') return Promise.resolve(asked);
    return this.#host.requests.interval(this.channel, asked, this.#isSettled);
  }

  publish(data: T, options: PublishOptions = {}): Promise<PublishResult> {
    return this.#host.requests.publish(this.channel, data, options, this.#isSettled);
  }
  history(options: HistoryOptions = {}): Promise<History<T>> {
    return this.#host.requests.history<T>(this.channel, options, this.#isSettled);
  }
  presence(): Promise<Members> {
    return this.#host.requests.presence(this.channel, this.#isSettled);
  }
  presenceStats(): Promise<{ clients: number; users: number }> {
    return this.#host.requests.presenceStats(this.channel, this.#isSettled);
  }

  /** Publications from now on, until the subscription ends. A loop that falls 1,000 behind ends with an error. */
  [Symbol.asyncIterator](): AsyncIterableIterator<ReceivedPublication<T>> {
    const source = {
      onPublication: (listener: (publication: ReceivedPublication<T>) => void) => this.on('publication', listener),
      onEnd: (listener: () => void) => this.on('unsubscribed', listener),
    };
    return iteratePublications(source, iteratorBufferMax);
  }

  /** Servers may ask who is subscribed before they allow a request, so it waits for the answer to subscribe. */
  readonly #isSettled = (): boolean => this.state !== 'subscribing';
}

import type { IncomingMessage } from 'node:http';
import { isLoopback } from '../config/contradictions.ts';
import type { Clock } from '../core/clock.ts';
import { KeyedBuckets } from '../core/keyed-buckets.ts';
import { limitedBy, RemoteAddresses } from '../transport/remote-addresses.ts';

export interface ApiPaceOptions {
  /** Requests a second with one key; 0: any. */
  readonly apiKeyRateMax: number;
  /** Unknown keys of one address a minute; 0: any. */
  readonly apiFailuresMax: number;
  readonly trustedProxies: readonly string[];
}

/** Who may ask the server API how often: keys by their name, and those who guess keys by their address (S9). */
export class BucketApiPace {
  readonly #clock: Clock;
  readonly #addresses: RemoteAddresses;
  readonly #keys: KeyedBuckets | undefined;
  readonly #failures: KeyedBuckets | undefined;

  constructor({ apiKeyRateMax, apiFailuresMax, trustedProxies }: ApiPaceOptions, clock: Clock) {
    this.#clock = clock;
    this.#addresses = new RemoteAddresses(trustedProxies);
    if (apiKeyRateMax > 0) this.#keys = new KeyedBuckets({ perSecond: apiKeyRateMax, burst: 2 * apiKeyRateMax });
    if (apiFailuresMax > 0) {
      this.#failures = new KeyedBuckets({ perSecond: apiFailuresMax / 60, burst: apiFailuresMax });
    }
  }

  waitOfAddress(request: IncomingMessage): number {
    if (this.#failures === undefined) return 0;
    return this.#failures.wait(limitedBy(this.#addresses.of(request)), this.#clock.monotonic());
  }

  failed(request: IncomingMessage): void {
    const address = this.#addresses.of(request);
    // Who is on this machine can read the configuration, and tests and proxies here would lock everybody out.
    if (!isLoopback(address)) this.#failures?.take(limitedBy(address), this.#clock.monotonic());
  }

  waitOfKey(name: string): number {
    return this.#keys?.take(name, this.#clock.monotonic()) ?? 0;
  }
}

import { isLoopback } from '../config/contradictions.ts';
import type { Clock } from '../core/clock.ts';
import { KeyedBuckets } from '../core/keyed-buckets.ts';
import type { TokenFailures } from '../core/token-failures.ts';
import { limitedBy } from '../transport/remote-addresses.ts';
import type { AddressPace, AddressRefusal } from '../transport/transport.ts';

export interface AddressPaceOptions {
  /** Connects of one address a second; 0: any. */
  readonly addressConnectRateMax: number;
  /** Open connections of one address: when all of them were cut, all may come back at once. */
  readonly connectionsPerAddressMax: number;
  /** Bad tokens of one address a minute; 0: any. */
  readonly tokenFailuresMax: number;
}

/**
 * How often an address may connect (S21), and how many bad tokens it may send (S9). One for all transports.
 *
 * This machine is exempt: who is on it can read the configuration, and tests and proxies here would lock
 * everybody out.
 */
export class BucketAddressPace implements AddressPace, TokenFailures {
  readonly #clock: Clock;
  readonly #connects: KeyedBuckets | undefined;
  readonly #failures: KeyedBuckets | undefined;

  constructor(options: AddressPaceOptions, clock: Clock) {
    const { addressConnectRateMax: perSecond, connectionsPerAddressMax, tokenFailuresMax } = options;
    this.#clock = clock;
    const burst = Math.max(2 * perSecond, connectionsPerAddressMax);
    if (perSecond > 0) this.#connects = new KeyedBuckets({ perSecond, burst });
    if (tokenFailuresMax > 0) {
      this.#failures = new KeyedBuckets({ perSecond: tokenFailuresMax / 60, burst: tokenFailuresMax });
    }
  }

  admit(address: string): AddressRefusal | undefined {
    const failedMs = this.wait(address);
    if (failedMs > 0) {
      const message = 'too many bad tokens came from this address';
      return { reason: 'bad_tokens', message, retryAfterMs: failedMs };
    }
    if (this.#connects === undefined || isLocal(address)) return undefined;
    const retryAfterMs = this.#connects.take(limitedBy(address), this.#clock.monotonic());
    return retryAfterMs === 0
      ? undefined
      : { reason: 'address_rate', message: 'this address connects too often', retryAfterMs };
  }

  wait(address: string): number {
    return this.#failures?.wait(limitedBy(address), this.#clock.monotonic()) ?? 0;
  }

  failed(address: string): void {
    if (!isLocal(address)) this.#failures?.take(limitedBy(address), this.#clock.monotonic());
  }
}

/** Loopback, or no address at all: a proxy on this machine may come by a Unix socket. */
function isLocal(address: string): boolean {
  return address === '' || isLoopback(address);
}

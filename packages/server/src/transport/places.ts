import { limitedBy } from './remote-addresses.ts';

/** Why there is no place; a label of the metrics. */
export type NoPlace = 'connections' | 'address';

export interface PlaceBounds {
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
}

const messages: Readonly<Record<NoPlace, string>> = {
  connections: 'the node has as many connections as allowed',
  address: 'this address has as many connections as allowed',
};

/** Bounds connections of the node and of each address; one for all transports, so that nobody gets more by using several (S21). */
export class Places {
  readonly #bounds: PlaceBounds;
  /** By address, or IPv6 network. As many entries as places taken, at most. */
  readonly #perAddress = new Map<string, number>();
  #taken = 0;

  constructor(bounds: PlaceBounds) {
    this.#bounds = bounds;
  }

  static message(reason: NoPlace): string {
    return messages[reason];
  }

  /** Why this address gets no place now; undefined: it may take one. */
  full(address: string): NoPlace | undefined {
    if (this.#taken >= this.#bounds.connectionsMax) return 'connections';
    return (this.#perAddress.get(limitedBy(address)) ?? 0) >= this.#bounds.connectionsPerAddressMax
      ? 'address'
      : undefined;
  }

  /** Each is given back once. */
  take(address: string): void {
    this.#taken += 1;
    const limited = limitedBy(address);
    this.#perAddress.set(limited, (this.#perAddress.get(limited) ?? 0) + 1);
  }

  give(address: string): void {
    this.#taken -= 1;
    const limited = limitedBy(address);
    const left = (this.#perAddress.get(limited) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(limited);
    else this.#perAddress.set(limited, left);
  }
}

/**
 * Outcomes of this node's own publications that wait until they were delivered here. A publish resolves
 * after its live delivery, and that comes over pub/sub like any other node's, so that all nodes deliver in
 * the order of the log (DEL-4). Tickets of one channel grow with its publishes; an echo settles all up to it.
 */
export class HeldOutcomes {
  readonly #byChannel = new Map<string, Echoes>();

  /** For a publication that is sent now, to a channel which the node hears. */
  expect(channel: string): Echoes {
    let echoes = this.#byChannel.get(channel);
    if (echoes === undefined) this.#byChannel.set(channel, (echoes = new Echoes()));
    return echoes;
  }

  /** The own publication with this ticket came over pub/sub. */
  heard(channel: string, ticket: number): void {
    this.#byChannel.get(channel)?.settle(ticket);
  }

  /** The node hears no more of the channel: nothing waits for it. */
  forget(channel: string): void {
    this.#byChannel.get(channel)?.settle(Infinity);
    this.#byChannel.delete(channel);
  }

  /** Live publications may have been lost: nothing waits for them. */
  forgetAll(): void {
    for (const echoes of this.#byChannel.values()) echoes.settle(Infinity);
    this.#byChannel.clear();
  }
}

/** What one channel's own publications wait for. */
class Echoes {
  #heard = 0;
  readonly #waiting: { readonly ticket: number; readonly release: () => void }[] = [];

  /** Undefined where it was heard already. */
  of(ticket: number): Promise<void> | undefined {
    if (this.#heard >= ticket) return undefined;
    return new Promise((release) => this.#waiting.push({ ticket, release }));
  }

  settle(ticket: number): void {
    this.#heard = Math.max(this.#heard, ticket);
    while (this.#waiting[0] !== undefined && this.#waiting[0].ticket <= ticket) this.#waiting.shift()?.release();
  }
}

export type { Echoes };

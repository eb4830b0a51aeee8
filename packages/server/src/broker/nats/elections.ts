import { Fault } from '../../core/fault.ts';

/** What a request fails with whose stream has another leader: the one it was sent to may be gone, and its answer with it. */
export class LeaderChanged extends Fault {
  constructor() {
    super('broker', 'the log has another leader, and the former did not answer', { retryable: true });
  }
}

/**
 * Requests that wait for the leader of a stream. A leader that is killed answers nothing, and whoever waits out the
 * time-out of such a request loses up to that long after there is another: so they are given up as it is elected.
 */
export class Elections {
  readonly #waiting = new Map<string, Set<() => void>>();

  /** The promise, or `LeaderChanged` as soon as that stream has another leader. */
  async guard<T>(stream: string, asked: Promise<T>): Promise<T> {
    const changed = Promise.withResolvers<never>();
    // Whichever loses the race must not count as unhandled.
    changed.promise.catch(() => undefined);
    asked.catch(() => undefined);
    const giveUp = (): void => changed.reject(new LeaderChanged());
    const waiting = this.#waiting.get(stream) ?? new Set();
    this.#waiting.set(stream, waiting.add(giveUp));
    try {
      return await Promise.race([asked, changed.promise]);
    } finally {
      waiting.delete(giveUp);
    }
  }

  elected(stream: string): void {
    for (const giveUp of this.#waiting.get(stream) ?? []) giveUp();
  }
}

import { Histogram } from '../measure/histogram.ts';
import type { Received } from './messages.ts';
import { nowMicroseconds, readTimedPayloads } from './timed-payload.ts';

/** Counts and times what the subscribers of one process receive. */
export class Receiver {
  #deliveries = 0;
  #bytes = 0;
  #frames = 0;
  #latency = new Histogram();
  #lasts = new Map<number, number>();
  #awaited: { deliveries: number; resolve: () => void } | undefined;

  reset(): void {
    this.#deliveries = 0;
    this.#bytes = 0;
    this.#frames = 0;
    this.#latency = new Histogram();
    this.#lasts = new Map();
  }

  receive(payload: Buffer): void {
    const now = nowMicroseconds();
    const count = readTimedPayloads(payload, (number, sentAt) => {
      const microseconds = now - sentAt;
      this.#latency.add(microseconds);
      if (microseconds > (this.#lasts.get(number) ?? -1)) this.#lasts.set(number, microseconds);
    });
    if (count === 0) return;
    this.#deliveries += count;
    this.#bytes += payload.length;
    this.#frames += 1;
    if (this.#awaited !== undefined && this.#deliveries >= this.#awaited.deliveries) this.#awaited.resolve();
  }

  /** Resolves once so many have come since the last reset. Rejects after `timeoutMs`. */
  async expect(deliveries: number, timeoutMs: number): Promise<Received> {
    if (this.#deliveries < deliveries) {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => {
          reject(new Error(`${this.#deliveries} of ${deliveries} deliveries came within ${timeoutMs} ms`));
        }, timeoutMs);
        this.#awaited = {
          deliveries,
          resolve: () => {
            clearTimeout(timer);
            resolve();
          },
        };
      });
      this.#awaited = undefined;
    }
    return {
      deliveries: this.#deliveries,
      bytes: this.#bytes,
      frames: this.#frames,
      latency: this.#latency.sparse(),
      lasts: [...this.#lasts],
    };
  }
}

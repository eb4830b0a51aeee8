import { ClientPool } from './client-pool.ts';
import type { LoadTarget } from './messages.ts';
import { nowMicroseconds, readTimedPayloads, timedPayload } from './timed-payload.ts';

/** No member of a fleet has it: a user of its own. */
const publisherIndex = -1;
const deliveryMsMax = 60_000;

/** One connection that publishes, and is a subscriber too: so it knows what the server has got through. */
export class Publisher {
  readonly #pool: ClientPool;
  readonly #target: LoadTarget;
  readonly #payloadBytes: number;
  #published = 0;
  #delivered = 0;
  #failure: Error | undefined;
  #onDelivery: (() => void) | undefined;

  private constructor(target: LoadTarget, payloadBytes: number) {
    this.#target = target;
    this.#payloadBytes = payloadBytes;
    this.#pool = new ClientPool(target, (_, payload) => {
      const count = readTimedPayloads(payload, () => {});
      if (count === 0 && payload.includes('"error"')) this.#failure ??= new Error(`answered ${payload.toString()}`);
      this.#delivered += count;
      this.#onDelivery?.();
    });
  }

  /** `payloadBytes` are those of the data of a publication; for a server that only broadcasts, of the whole message. */
  static async connect(target: LoadTarget, payloadBytes: number): Promise<Publisher> {
    const publisher = new Publisher(target, payloadBytes);
    await publisher.#pool.connect(1, publisherIndex, 1);
    return publisher;
  }

  publish(): void {
    const { tutti } = this.#target;
    this.#published += 1;
    const data = timedPayload(this.#published, nowMicroseconds(), this.#payloadBytes);
    const message =
      tutti === undefined
        ? data
        : `{"id":${10 + this.#published},"publish":{"channel":"${tutti.channel ?? ''}","data":${data}}}`;
    this.#pool.connections[0]?.send(message);
  }

  /** One after the other at a rate; resolves when the last has come back. */
  async paced(count: number, perSecond: number): Promise<void> {
    const started = performance.now();
    for (let i = 0; i < count; i += 1) {
      const wait = started + (i * 1000) / perSecond - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      this.publish();
    }
    await this.#whenDelivered(() => this.#delivered >= this.#published);
  }

  /** As fast as they come back, `window` of them under way; resolves to how many there were. */
  async burst(window: number, ms: number): Promise<number> {
    const before = this.#published;
    const until = performance.now() + ms;
    await this.#whenDelivered(() => {
      const isTime = performance.now() < until;
      while (isTime && this.#published - this.#delivered < window) this.publish();
      return this.#published === this.#delivered;
    });
    return this.#published - before;
  }

  close(): void {
    this.#pool.close();
  }

  /** `isDone` is asked at once, and after each delivery. */
  #whenDelivered(isDone: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        settle(new Error(`${this.#delivered} of ${this.#published} publications came back`));
      }, deliveryMsMax);
      const settle = (error?: Error): void => {
        clearTimeout(timer);
        this.#onDelivery = undefined;
        if (error === undefined) resolve();
        else reject(error);
      };
      const look = (): void => {
        if (this.#failure !== undefined) settle(this.#failure);
        else if (isDone()) settle();
      };
      this.#onDelivery = look;
      look();
    });
  }
}

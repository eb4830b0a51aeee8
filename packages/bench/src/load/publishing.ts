import { Histogram } from '../measure/histogram.ts';
import type { Published, PublishRequest } from './messages.ts';
import type { RawConnection } from './raw-connection.ts';
import { nowMicroseconds, timedPayload } from './timed-payload.ts';

interface Answer {
  readonly id?: number;
  readonly error?: { readonly code: number; readonly message: string };
}

/** Ids below it belong to connecting. */
const firstId = 10;

/** Keeps a window of publications unanswered on every connection, for a time. */
export class Publishing {
  readonly #request: PublishRequest;
  readonly #latency = new Histogram();
  readonly #sentAt = new Map<number, number>();
  readonly #started = nowMicroseconds();
  readonly #until: number;
  readonly done: Promise<Published>;
  #settle: { resolve: (published: Published) => void; reject: (error: Error) => void } | undefined;
  #nextId = firstId;

  constructor(connections: readonly RawConnection[], request: PublishRequest) {
    this.#request = request;
    this.#until = this.#started + request.ms * 1000;
    this.done = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    const each = Math.max(1, Math.floor(request.window / connections.length));
    for (const connection of connections) this.#send(connection, each);
  }

  receive(connection: RawConnection, payload: Buffer): void {
    const now = nowMicroseconds();
    let answered = 0;
    for (const line of payload.toString().split('\n')) {
      const { id, error } = JSON.parse(line) as Answer;
      if (error !== undefined) this.#settle?.reject(new Error(`publish answered ${error.code} ${error.message}`));
      const sentAt = this.#sentAt.get(id ?? 0);
      if (id === undefined || sentAt === undefined) continue;
      this.#sentAt.delete(id);
      this.#latency.add(now - sentAt);
      answered += 1;
    }
    if (now < this.#until) this.#send(connection, answered);
    else if (this.#sentAt.size === 0) this.#finish(now);
  }

  #send(connection: RawConnection, count: number): void {
    const { channel, payloadBytes } = this.#request;
    connection.cork();
    for (let i = 0; i < count; i += 1) {
      const id = this.#nextId;
      this.#nextId += 1;
      const now = nowMicroseconds();
      this.#sentAt.set(id, now);
      connection.send(`{"id":${id},"publish":{"channel":"${channel}","data":${timedPayload(id, now, payloadBytes)}}}`);
    }
    connection.uncork();
  }

  #finish(now: number): void {
    const ms = (now - this.#started) / 1000;
    this.#settle?.resolve({ accepted: this.#latency.total, ms, latency: this.#latency.sparse() });
  }
}

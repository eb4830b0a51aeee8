import { RawConnection, type RawHandler } from '@tutti/bench/load/raw-connection';
import { connectionToken } from '@tutti/bench/load/token';
import { testTokenSecret } from '@tutti/testkit/test-settings';
import { until } from '../waiting.ts';

const channel = 'canary:own';
const everyMs = 20;
const connectMsMax = 10_000;

/** An honest client that publishes to itself and measures how long that takes. */
export class Canary implements RawHandler {
  /** Why its connection ended. */
  ended: string | undefined;
  readonly #connection: RawConnection;
  #timer: NodeJS.Timeout | undefined;
  #isReady = false;
  #latencies: number[] = [];
  readonly #sentAt = new Map<number, number>();
  #count = 0;

  constructor(port: number) {
    this.#connection = new RawConnection(0, { host: '127.0.0.1', port, path: '/connection/websocket' }, this);
  }

  async start(): Promise<void> {
    if (!(await until(() => this.#isReady, connectMsMax))) throw new Error('the canary could not connect');
    this.#timer = setInterval(() => {
      this.#count += 1;
      this.#sentAt.set(this.#count, performance.now());
      const data = { n: this.#count };
      this.#connection.send(JSON.stringify({ id: 10 + this.#count, publish: { channel, data } }));
    }, everyMs);
  }

  /** Milliseconds of those since the last call, sorted. What is still on its way counts with its time so far. */
  takeLatencies(): number[] {
    const now = performance.now();
    const waiting = [...this.#sentAt.values()].map((sentAt) => now - sentAt);
    const taken = [...this.#latencies, ...waiting.filter((ms) => ms > 50)];
    this.#latencies = [];
    return taken.sort((a, b) => a - b);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#connection.destroy();
  }

  opened(connection: RawConnection): void {
    const connect = { id: 1, connect: { token: connectionToken('canary', testTokenSecret) } };
    connection.send(`${JSON.stringify(connect)}\n${JSON.stringify({ id: 2, subscribe: { channel } })}`);
  }

  received(connection: RawConnection, payload: Buffer): void {
    const text = payload.toString();
    if (text === '{}') connection.send('{}');
    if (text.includes('"id":2,"subscribe"')) this.#isReady = true;
    for (const [, number] of text.matchAll(/"data":\{"n":(\d+)\}/g)) {
      const sentAt = this.#sentAt.get(Number(number));
      this.#sentAt.delete(Number(number));
      if (sentAt !== undefined) this.#latencies.push(performance.now() - sentAt);
    }
  }

  closed(_connection: RawConnection, why: string): void {
    this.ended = why;
    clearInterval(this.#timer);
  }
}

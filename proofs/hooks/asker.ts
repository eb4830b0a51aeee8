import { RawConnection, type RawHandler } from '@tutti/bench/load/raw-connection';
import { until } from '../waiting.ts';

/** `granted`, or the error a client was told: its code, and whether it may try again. */
export type Outcome = string;

const connectMsMax = 10_000;
const data = { text: 'hello' };

/** A client whose every command asks the application: it publishes, calls, subscribes, and comes without a token. */
export class Asker implements RawHandler {
  readonly outcomes = new Map<Outcome, number>();
  slowestMs = 0;
  readonly #port: number;
  readonly #name: string;
  readonly #token: string;
  readonly #connection: RawConnection;
  #isReady = false;
  #count = 10;
  readonly #askedAt = new Map<number, number>();
  readonly #newcomers = new Set<RawConnection>();

  constructor(port: number, name: string, token: string) {
    this.#port = port;
    this.#name = name;
    this.#token = token;
    this.#connection = this.#open();
  }

  async start(): Promise<void> {
    if (!(await until(() => this.#isReady, connectMsMax))) throw new Error('an asker could not connect');
  }

  get unanswered(): number {
    return this.#askedAt.size;
  }

  /** Asks once more, another thing each time. */
  ask(): void {
    const id = (this.#count += 1);
    const channel = `hooked:${this.#name}-${id}`;
    this.#askedAt.set(id, performance.now());
    switch (id % 4) {
      case 0:
        this.#send({ id, publish: { channel, data } });
        return;
      case 1:
        this.#send({ id, rpc: { method: 'anything', data } });
        return;
      case 2:
        this.#send({ id, subscribe: { channel } });
        return;
      default:
        this.#newcomers.add(this.#open(id));
    }
  }

  takeOutcomes(): Record<Outcome, number> {
    const taken = Object.fromEntries(this.outcomes);
    this.outcomes.clear();
    return taken;
  }

  stop(): void {
    for (const connection of [this.#connection, ...this.#newcomers]) connection.destroy();
  }

  opened(connection: RawConnection): void {
    const id = connection === this.#connection ? 1 : connection.index;
    const token = id === 1 ? { token: this.#token } : {};
    connection.send(JSON.stringify({ id, connect: token }));
  }

  received(connection: RawConnection, payload: Buffer): void {
    for (const line of payload.toString().split('\n')) {
      if (line === '{}') {
        connection.send('{}');
        continue;
      }
      const reply = JSON.parse(line) as Reply;
      if (reply.id === 1) this.#isReady = reply.connect !== undefined;
      else if (reply.id !== undefined) this.#answered(reply.id, reply, connection);
    }
  }

  closed(connection: RawConnection, why: string): void {
    if (this.#newcomers.delete(connection)) this.#settle(connection.index, `closed: ${why}`);
  }

  #answered(id: number, { error, subscribe }: Reply, connection: RawConnection): void {
    this.#settle(id, error === undefined ? 'granted' : `${error.code}${error.temporary === true ? ' temporary' : ''}`);
    if (this.#newcomers.delete(connection)) connection.destroy();
    // The next one needs the place.
    if (subscribe !== undefined) {
      this.#send({ id: (this.#count += 4), unsubscribe: { channel: `hooked:${this.#name}-${id}` } });
    }
  }

  #settle(id: number, outcome: Outcome): void {
    const askedAt = this.#askedAt.get(id);
    if (askedAt === undefined) return;
    this.#askedAt.delete(id);
    this.slowestMs = Math.max(this.slowestMs, performance.now() - askedAt);
    this.outcomes.set(outcome, (this.outcomes.get(outcome) ?? 0) + 1);
  }

  #open(index = 0): RawConnection {
    return new RawConnection(index, { host: '127.0.0.1', port: this.#port, path: '/connection/websocket' }, this);
  }

  #send(command: object): void {
    this.#connection.send(JSON.stringify(command));
  }
}

interface Reply {
  readonly id?: number;
  readonly connect?: object;
  readonly subscribe?: object;
  readonly error?: { readonly code: number; readonly temporary?: boolean };
}

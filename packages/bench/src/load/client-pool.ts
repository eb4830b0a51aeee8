import type { LoadTarget } from './messages.ts';
import { RawConnection, type RawHandler } from './raw-connection.ts';
import { connectionToken } from './token.ts';

/** What comes in on a connection that is ready, pings left out. `payload` lives until the call returns. */
export type OnMessage = (connection: RawConnection, payload: Buffer) => void;

const pong = '{}';
const connectId = 1;
const subscribeId = 2;

/** Connections of one process, each with a user of its own, connected and (where there is a channel) subscribed. */
export class ClientPool implements RawHandler {
  readonly connections: RawConnection[] = [];
  readonly #target: LoadTarget;
  readonly #onMessage: OnMessage;
  #wanted = 0;
  #nextIndex = 0;
  #ready = 0;
  #settled: { resolve: () => void; reject: (error: Error) => void } | undefined;
  /** Why a connection ended, once one did; what is measured afterwards is worth nothing. */
  #broken: Error | undefined;
  #isClosing = false;

  constructor(target: LoadTarget, onMessage: OnMessage) {
    this.#target = target;
    this.#onMessage = onMessage;
  }

  /** Resolves when all are ready. Rejects with the first failure. Called once. */
  connect(count: number, firstIndex: number, atOnce: number): Promise<void> {
    this.#wanted = count;
    this.#nextIndex = firstIndex;
    return new Promise((resolve, reject) => {
      this.#settled = { resolve, reject };
      if (count === 0) resolve();
      for (let i = 0; i < Math.min(atOnce, count); i += 1) this.#open();
    });
  }

  /** Throws where a connection has ended meanwhile. */
  check(): void {
    if (this.#broken !== undefined) throw this.#broken;
  }

  close(): void {
    this.#isClosing = true;
    for (const connection of this.connections) connection.destroy();
  }

  opened(connection: RawConnection): void {
    const { tutti } = this.#target;
    if (tutti === undefined) {
      this.#becameReady(connection);
      return;
    }
    connection.state = 'joining';
    const token = connectionToken(`u${connection.index}`, tutti.secret);
    const connect = JSON.stringify({ id: connectId, connect: { token } });
    const { channel } = tutti;
    const subscribe = channel === undefined ? '' : `\n${JSON.stringify({ id: subscribeId, subscribe: { channel } })}`;
    // In one frame, as the SDKs do.
    connection.send(connect + subscribe);
  }

  received(connection: RawConnection, payload: Buffer): void {
    if (this.#target.tutti !== undefined && payload.length === pong.length) {
      connection.send(pong);
      return;
    }
    if (connection.state === 'joining') this.#answered(connection, payload);
    else this.#onMessage(connection, payload);
  }

  closed(connection: RawConnection, why: string): void {
    if (this.#isClosing) return;
    this.#broken ??= new Error(`connection ${connection.index} (${connection.state}): ${why}`);
    this.#settled?.reject(this.#broken);
  }

  #answered(connection: RawConnection, payload: Buffer): void {
    for (const line of payload.toString().split('\n')) {
      const reply = JSON.parse(line) as { id?: number; error?: { code: number; message: string } };
      if (reply.error !== undefined) {
        this.#settled?.reject(new Error(`the server answered ${reply.error.code} ${reply.error.message}`));
        return;
      }
      const last = this.#target.tutti?.channel === undefined ? connectId : subscribeId;
      if (reply.id === last) this.#becameReady(connection);
    }
  }

  #becameReady(connection: RawConnection): void {
    connection.state = 'ready';
    this.#ready += 1;
    if (this.#ready === this.#wanted) this.#settled?.resolve();
    else if (this.connections.length < this.#wanted) this.#open();
  }

  #open(): void {
    this.connections.push(new RawConnection(this.#nextIndex, this.#target, this));
    this.#nextIndex += 1;
  }
}

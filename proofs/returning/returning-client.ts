import { RawConnection, type Address, type RawHandler } from '@tutti/bench/load/raw-connection';
import { settingsFrom } from '../../packages/client/src/options.ts';
import { Backoff } from '../../packages/client/src/backoff.ts';
import type { BackoffKind } from './messages.ts';

/** What a client tells the process that holds it. */
export interface ClientOwner {
  readonly target: Address;
  readonly backoff: BackoffKind;
  accepted(): void;
  refused(): void;
  failed(why: string): void;
  back(): void;
  lost(why: string): void;
  /** `number`: as the publisher numbered it. */
  saw(client: ReturningClient, offset: number, number: number): void;
}

interface Publication {
  readonly offset?: number;
  readonly data: { readonly n: number };
}
interface Reply {
  readonly id?: number;
  readonly error?: { readonly code: number; readonly message: string };
  readonly subscribe?: {
    readonly epoch: string;
    readonly offset: number;
    readonly recovered?: boolean;
    readonly publications?: readonly Publication[];
  };
  readonly push?: { readonly pub?: Publication; readonly unsubscribe?: { readonly code: number } };
}

const pong = '{}';
const connectId = 1;
const subscribeId = 2;
const fixedMs = 1_000;
// The very values of our SDK; a WebSocket is not opened by this.
const { reconnectMinMs, reconnectMaxMs, stableMs, timeoutMs, random } = settingsFrom({ WebSocket: Object as never });
export const attemptMsMax = timeoutMs;

/**
 * A client that returns as our SDK does: its back-off, its reset after a stable time, its respect for
 * hints, connect and subscribe with the last position in one frame. Lean, so that thousands fit.
 */
export class ReturningClient implements RawHandler {
  readonly index: number;
  readonly channel: string;
  isReady = false;
  /** Milliseconds since when an attempt is under way; undefined where none is. */
  attemptSinceMs: number | undefined;
  offset = 0;
  epoch: string | undefined;
  holes = 0;
  duplicates = 0;
  gaps = 0;
  recoveries = 0;
  publications = 0;
  readonly #owner: ClientOwner;
  readonly #token: string;
  readonly #backoff = new Backoff({ minMs: reconnectMinMs, maxMs: reconnectMaxMs }, random);
  #connection: RawConnection | undefined;
  #isOpen = false;
  #readySinceMs = 0;

  constructor(index: number, channel: string, token: string, owner: ClientOwner) {
    this.index = index;
    this.channel = channel;
    this.#token = token;
    this.#owner = owner;
  }

  open(): void {
    this.attemptSinceMs = performance.now();
    this.#isOpen = false;
    this.#connection = new RawConnection(this.index, this.#owner.target, this);
  }

  /** RST; then it returns. */
  cut(): void {
    this.#connection?.reset();
  }

  giveUp(): void {
    this.#connection?.destroy();
  }

  // What the connection calls.

  opened(connection: RawConnection): void {
    this.#isOpen = true;
    this.#owner.accepted();
    const connect = JSON.stringify({ id: connectId, connect: { token: this.#token } });
    connection.send(`${connect}\n${this.#subscribeCommand()}`);
  }

  received(connection: RawConnection, payload: Buffer): void {
    if (payload.length === pong.length) {
      connection.send(pong);
      return;
    }
    for (const line of payload.toString().split('\n')) this.#reply(connection, JSON.parse(line) as Reply);
  }

  closed(connection: RawConnection, why: string): void {
    if (this.#connection !== connection) return;
    const wasReady = this.isReady;
    this.isReady = false;
    this.attemptSinceMs = undefined;
    this.#connection = undefined;
    if (wasReady) {
      if (performance.now() - this.#readySinceMs >= stableMs) this.#backoff.reset();
      this.#owner.lost(why);
    } else if (!this.#isOpen && why.startsWith('refused: HTTP/1.1 503')) this.#owner.refused();
    else this.#owner.failed(why);
    const hintMs = Number(/\bretry=(\d+)/.exec(why)?.[1] ?? 0);
    const waitMs = this.#owner.backoff === 'fixed' ? fixedMs : hintMs + this.#backoff.next();
    setTimeout(() => this.open(), waitMs);
  }

  #subscribeCommand(): string {
    const { channel, epoch, offset } = this;
    const position = epoch === undefined ? {} : { recover: true, epoch, offset };
    return JSON.stringify({ id: subscribeId, subscribe: { channel, ...position } });
  }

  #reply(connection: RawConnection, reply: Reply): void {
    if (reply.error !== undefined) {
      this.#owner.failed(`answered ${reply.error.code} ${reply.error.message}`);
      connection.destroy();
    } else if (reply.subscribe !== undefined) this.#subscribed(reply.subscribe);
    else if (reply.push?.pub !== undefined) this.#publication(reply.push.pub);
    else if (reply.push?.unsubscribe !== undefined) connection.send(this.#subscribeCommand());
  }

  #subscribed({ epoch, offset, recovered, publications = [] }: NonNullable<Reply['subscribe']>): void {
    if (this.epoch === undefined) this.offset = offset;
    else {
      this.recoveries += 1;
      if (recovered !== true || epoch !== this.epoch) {
        this.gaps += 1;
        this.offset = offset;
      }
    }
    this.epoch = epoch;
    for (const publication of publications) this.#publication(publication);
    if (this.isReady) return;
    this.isReady = true;
    this.attemptSinceMs = undefined;
    this.#readySinceMs = performance.now();
    this.#owner.back();
  }

  #publication({ offset = 0, data }: Publication): void {
    this.publications += 1;
    if (offset <= this.offset) this.duplicates += 1;
    else if (offset > this.offset + 1) this.holes += 1;
    this.offset = Math.max(this.offset, offset);
    this.#owner.saw(this, offset, data.n);
  }
}

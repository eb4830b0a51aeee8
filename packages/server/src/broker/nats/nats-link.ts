import { connect, type Msg, type MsgHdrs, type NatsConnection, type Subscription } from '@nats-io/transport-node';
import type { Clock, Timer } from '../../core/clock.ts';
import { Fault } from '../../core/fault.ts';
import type { Random } from '../../core/random.ts';
import type { Log } from '../../telemetry/telemetry.ts';
import { refusalOf, type NatsAccess } from './access.ts';

export interface NatsLinkOptions {
  /** `nats://host:port` or `tls://…`; any of them leads to all. A user and password in the first are used for all. */
  readonly servers: readonly string[];
  /** Shown in NATS's own lists of connections. */
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log?: Log;
  /** User, password, token, TLS files, authenticator: as the driver takes them. */
  readonly access?: NatsAccess;
}

/** What is heard of a subject. Ends with `unsubscribe`. */
export interface NatsSubscription {
  unsubscribe(): void;
}

interface Standing {
  readonly subject: string;
  readonly heard: (message: Msg) => void;
  onConnection: Subscription | undefined;
}

export interface NatsRequest {
  readonly headers?: MsgHdrs;
  readonly timeoutMs: number;
}

const connectTimeoutMs = 2_000;
const reconnectDelayMinMs = 100;
const reconnectDelayMaxMs = 2_000;
/** A server that is silent for so long is left for another. */
const pingIntervalMs = 5_000;

/**
 * The one connection of a node to NATS; broker and bus share it.
 *
 * It never gives up: where no server answers, at start or later, it tries again for ever, with jitter.
 * While it is down every call fails at once with a retryable `Fault`: the driver would hold messages
 * in memory without a bound, and send them long after their publishers were told of a failure.
 */
export class NatsLink {
  readonly #options: NatsLinkOptions;
  readonly #ups: (() => void)[] = [];
  readonly #lost = new Set<(fault: Fault) => void>();
  readonly #standing = new Set<Standing>();
  #connection: NatsConnection | undefined;
  #isUp = false;
  #isClosed = false;
  #starting: Promise<void> | undefined;
  #retry: Timer | undefined;
  #lastFailure = '';

  constructor(options: NatsLinkOptions) {
    this.#options = options;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** The connection while it is up. Throws a retryable `Fault` otherwise. */
  get connection(): NatsConnection {
    if (this.#connection === undefined || !this.#isUp) throw this.#downFault();
    return this.#connection;
  }

  /** Called each time the connection is up, the first time too; subscriptions are in place again. */
  onUp(fn: () => void): void {
    this.#ups.push(fn);
    if (this.#isUp) fn();
  }

  /** Hears a subject from now on, or from when the connection is there, whatever becomes of it. `heard` is called as the socket is read. */
  subscribe(subject: string, heard: (message: Msg) => void): NatsSubscription {
    const standing: Standing = { subject, heard, onConnection: undefined };
    this.#standing.add(standing);
    if (this.#connection !== undefined) begin(standing, this.#connection);
    return {
      unsubscribe: () => {
        this.#standing.delete(standing);
        standing.onConnection?.unsubscribe();
      },
    };
  }

  /** Resolves when the first attempt has come to an end, well or not. Idempotent; never rejects. */
  start(): Promise<void> {
    return (this.#starting ??= this.#connect());
  }

  /** Like the driver's, but fails at once, with a retryable `Fault`, when the connection breaks. */
  async request(subject: string, payload: Uint8Array | string, { headers, timeoutMs }: NatsRequest): Promise<Msg> {
    const asked = this.connection.request(subject, payload, {
      timeout: timeoutMs,
      ...(headers === undefined ? {} : { headers }),
    });
    return this.guard(asked);
  }

  /** The promise, or a retryable `Fault` as soon as the connection breaks. */
  async guard<T>(asked: Promise<T>): Promise<T> {
    const broken = Promise.withResolvers<never>();
    // Whichever loses the race must not count as unhandled.
    broken.promise.catch(() => undefined);
    asked.catch(() => undefined);
    this.#lost.add(broken.reject);
    try {
      return await Promise.race([asked, broken.promise]);
    } finally {
      this.#lost.delete(broken.reject);
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#retry?.cancel();
    const connection = this.#connection;
    const wasUp = this.#isUp;
    this.#down();
    this.#connection = undefined;
    if (connection === undefined || connection.isClosed()) return;
    // What was published goes out first; a server that does not answer must not hold up the shutdown.
    if (wasUp) await Promise.race([connection.flush().catch(() => undefined), this.#after(connectTimeoutMs)]);
    await connection.close();
  }

  async #connect(): Promise<void> {
    const { servers, name, access } = this.#options;
    try {
      const connection = await connect({
        ...access,
        servers: [...servers],
        name,
        timeout: connectTimeoutMs,
        maxReconnectAttempts: -1,
        reconnectDelayHandler: () => this.#delay(),
        ignoreAuthErrorAbort: true,
        pingInterval: pingIntervalMs,
        maxPingOut: 2,
        // What this node says to others, it has told itself already.
        noEcho: true,
      });
      if (this.#isClosed) {
        await connection.close();
        return;
      }
      this.#connection = connection;
      // The driver repeats them on another server, but not on another connection.
      for (const standing of this.#standing) begin(standing, connection);
      void this.#watch(connection);
      this.#up();
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (this.#isClosed) return;
    const reason = refusalOf(error, this.#options.access);
    // Said when it changes, not twice a second.
    if (reason !== this.#lastFailure) {
      this.#options.log?.warn(
        { seam: 'broker', reason },
        'NATS cannot be reached; trying again for as long as it takes',
      );
    }
    this.#lastFailure = reason;
    this.#retry = this.#options.clock.after(this.#delay(), () => void this.#connect());
  }

  async #watch(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (connection !== this.#connection) return;
      if (status.type === 'disconnect') {
        this.#options.log?.warn({ seam: 'broker', server: status.server }, 'the connection to NATS is lost');
        this.#down();
      } else if (status.type === 'reconnect') {
        this.#options.log?.info({ seam: 'broker', server: status.server }, 'NATS is connected again');
        this.#up();
      } else if (status.type === 'error') {
        this.#options.log?.warn({ seam: 'broker', error: status.error }, 'NATS reports an error');
      }
    }
    // The driver gave up, which its options forbid it; begin anew rather than stay deaf.
    if (connection !== this.#connection || this.#isClosed) return;
    this.#down();
    this.#connection = undefined;
    this.#failed(new Error('the driver closed the connection'));
  }

  #up(): void {
    this.#isUp = true;
    this.#lastFailure = '';
    for (const up of this.#ups) up();
  }

  #down(): void {
    this.#isUp = false;
    const fault = this.#downFault();
    for (const reject of [...this.#lost]) reject(fault);
    this.#lost.clear();
  }

  #downFault(): Fault {
    if (this.#isClosed) return new Fault('broker', 'the connection to NATS is closed', { retryable: false });
    return new Fault('broker', 'NATS is not connected', { retryable: true });
  }

  #delay(): number {
    return reconnectDelayMinMs + this.#options.random.next() * (reconnectDelayMaxMs - reconnectDelayMinMs);
  }

  #after(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.after(ms, resolve);
    });
  }
}

/** On one that was closed a moment ago it does not: another follows. */
function begin(standing: Standing, connection: NatsConnection): void {
  if (connection.isClosed()) return;
  const callback = (error: Error | null, message: Msg): void => {
    if (error === null) standing.heard(message);
  };
  standing.onConnection = connection.subscribe(standing.subject, { callback });
}

import type { Clock, Timer } from '../../core/clock.ts';
import { makeConnection, tlsOf, type Connection, type Credentials, type Driver } from './driver.ts';
import { faultOf, RedisFault } from './redis-fault.ts';
import { addressOf, type RedisHost } from '../../config/redis-target.ts';
import { ReplicaConfirm } from './replica-confirm.ts';
import { allScripts } from './scripts.ts';
import { readServerFacts, type ServerFacts } from './server-facts.ts';

export interface ServerLinkEvents {
  message(channel: string, message: Uint8Array): void;
  /** The server ended subscriptions by itself, because their slots went elsewhere: all are to be made anew. */
  unsubscribed(): void;
  /** Told once, after it was open. Everything that waited has been failed. */
  ended(reason: RedisFault): void;
  /** A command was for another server, or the Cluster is not whole. */
  moved(): void;
}

export interface ServerLinkOptions {
  readonly driver: Driver;
  readonly server: RedisHost;
  readonly credentials: Credentials;
  /** Sharded pub/sub, as a Cluster has it. */
  readonly sharded: boolean;
  readonly clock: Clock;
  readonly events: ServerLinkEvents;
}

export type CommandArgument = string | number | Buffer;

interface Pending {
  readonly atMs: number;
  readonly bytes: number;
  fail(fault: RedisFault): void;
}

const connectMs = 3_000;
/** A server that answers nothing for so long is taken for lost: the bound of every command. */
const answerMsMax = 3_000;
const watchMs = 500;
/** An idle connection is asked so often whether it still lives. */
const idleMs = 5_000;
const pendingMax = 50_000;
const pendingBytesMax = 64 * 1024 * 1024;
/** Names in one SUBSCRIBE. */
const subscribeBatch = 500;
/** Answers that say that this connection is of no use any more. */
const useless = new Set(['READONLY', 'NOSCRIPT', 'MASTERDOWN', 'LOADING']);

/**
 * One connection to one master: commands in the order in which they are made, and pub/sub. It lives
 * and dies as a whole: whoever has it open may rely on scripts being loaded and subscriptions standing;
 * what breaks it fails everything that waits, and another one is opened in its place.
 */
export class ServerLink {
  readonly server: RedisHost;
  readonly address: string;
  readonly facts: ServerFacts;
  readonly #redis: Connection;
  readonly #options: ServerLinkOptions;
  readonly #pending = new Set<Pending>();
  #pendingBytes = 0;
  #confirming: ReplicaConfirm | undefined;
  #watch: Timer | undefined;
  #heardMs: number;
  #isEnded = false;
  #hasMoved = false;

  private constructor(redis: Connection, facts: ServerFacts, options: ServerLinkOptions) {
    this.server = options.server;
    this.address = addressOf(options.server);
    this.facts = facts;
    this.#redis = redis;
    this.#options = options;
    this.#heardMs = options.clock.monotonic();
    this.#listen();
    this.#armWatch();
  }

  /** Throws `RedisFault` where the server cannot be had in time, is no master, or is none that can be used. */
  static async open(options: ServerLinkOptions): Promise<ServerLink> {
    const { driver, server, credentials, clock } = options;
    const redis = makeConnection(driver, server, credentials, connectMs);
    let lastError: unknown;
    redis.on('error', (error) => (lastError = error));
    const overdue = Promise.withResolvers<never>();
    const timer = clock.after(connectMs, () => {
      overdue.reject(new RedisFault(`redis: ${addressOf(server)} does not answer`));
    });
    try {
      const prepared = prepare(redis);
      prepared.catch(() => undefined);
      const facts = await Promise.race([prepared, overdue.promise]);
      return new ServerLink(redis, facts, options);
    } catch (error) {
      redis.disconnect();
      // The driver says "connection is closed"; why, it said before.
      throw faultOf(error instanceof RedisFault ? error : (lastError ?? error), addressOf(server), tlsOf(credentials));
    } finally {
      timer.cancel();
      overdue.promise.catch(() => undefined);
    }
  }

  get isOpen(): boolean {
    return !this.#isEnded;
  }

  /** Sent in this turn, after what was called before it. Rejects with `RedisFault`. Replies are Buffers. */
  call(command: string, args: readonly CommandArgument[], bytes = 0): Promise<unknown> {
    return this.#track(bytes, command, () => this.#redis.callBuffer(command, [...args]));
  }

  /** Resolves when so many replicas have all that was called until now; the number is the same each time. */
  confirm(replicas: number): Promise<void> {
    this.#confirming ??= new ReplicaConfirm(replicas, (count, ms) => this.call('WAIT', [count, ms]));
    return this.#confirming.confirm();
  }

  /** Resolves when the server has taken all of them. */
  async subscribe(channels: readonly string[]): Promise<void> {
    const batches: Promise<unknown>[] = [];
    if (this.#options.sharded) {
      // One command takes channels of one slot only.
      for (const channel of channels) {
        batches.push(this.#track(channel.length, 'SSUBSCRIBE', () => this.#redis.ssubscribe(channel)));
      }
    } else {
      for (let i = 0; i < channels.length; i += subscribeBatch) {
        const batch = channels.slice(i, i + subscribeBatch);
        batches.push(this.#track(0, 'SUBSCRIBE', () => this.#redis.subscribe(...batch)));
      }
    }
    await Promise.all(batches);
  }

  async unsubscribe(channel: string): Promise<void> {
    const { sharded } = this.#options;
    await this.#track(channel.length, 'UNSUBSCRIBE', () =>
      sharded ? this.#redis.sunsubscribe(channel) : this.#redis.unsubscribe(channel),
    );
  }

  /** Fails what waits, and closes. Idempotent. */
  end(reason: RedisFault): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#watch?.cancel();
    this.#redis.disconnect();
    for (const pending of [...this.#pending]) pending.fail(reason);
    this.#options.events.ended(reason);
  }

  /** Sends what waits, then closes. */
  async close(): Promise<void> {
    if (this.#isEnded) return;
    try {
      await this.call('PING', []);
    } catch {
      // It closes all the same.
    }
    this.end(new RedisFault('redis: the connection was closed', { retryable: false }));
  }

  #track<T>(bytes: number, what: string, send: () => Promise<T>): Promise<T> {
    if (this.#isEnded) return Promise.reject(new RedisFault(`redis: ${this.address} is not connected`));
    if (this.#pending.size >= pendingMax || this.#pendingBytes + bytes > pendingBytesMax) {
      return Promise.reject(new RedisFault('redis: too many commands wait for an answer'));
    }
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const done = (): boolean => {
      if (!this.#pending.delete(pending)) return false;
      this.#pendingBytes -= bytes;
      this.#heardMs = this.#options.clock.monotonic();
      return true;
    };
    const pending: Pending = {
      atMs: this.#options.clock.monotonic(),
      bytes,
      fail: (fault) => {
        if (done()) reject(fault);
      },
    };
    this.#pending.add(pending);
    this.#pendingBytes += bytes;
    send().then(
      (reply) => {
        if (done()) resolve(reply);
      },
      (error: unknown) => {
        if (!this.#pending.has(pending)) return;
        const fault = faultOf(error, what);
        pending.fail(fault);
        this.#heed(fault);
      },
    );
    return promise;
  }

  #heed(fault: RedisFault): void {
    if (fault.code === 'MOVED' || fault.code === 'CLUSTERDOWN') this.#options.events.moved();
    if (useless.has(fault.code)) this.end(fault);
  }

  #listen(): void {
    const { events, sharded } = this.#options;
    this.#redis.on(sharded ? 'smessageBuffer' : 'messageBuffer', (channel: Buffer, message: Buffer) => {
      // What the socket had already read comes after the end; by then another connection may have brought newer ones.
      if (!this.#isEnded) events.message(channel.toString(), message);
    });
    this.#redis.on('moved', () => this.#noteMove());
    this.#redis.on('error', (error) => this.end(faultOf(error, this.address)));
    this.#redis.on('end', () => this.end(new RedisFault(`redis: ${this.address} closed the connection`)));
  }

  /** The driver tells it for each subscription, and not which. */
  #noteMove(): void {
    if (this.#hasMoved) return;
    this.#hasMoved = true;
    this.#options.clock.soon(() => {
      this.#hasMoved = false;
      if (!this.#isEnded) this.#options.events.unsubscribed();
    });
  }

  #armWatch(): void {
    const armedMs = this.#options.clock.monotonic();
    this.#watch = this.#options.clock.after(watchMs, () => {
      const atMs = this.#options.clock.monotonic();
      const [oldest] = this.#pending;
      // This process was held up itself: answers may lie here unread, and are looked at before anybody is judged.
      const wasHeldUp = atMs - armedMs > watchMs * 2;
      if (!wasHeldUp && oldest !== undefined && atMs - oldest.atMs > answerMsMax) {
        this.end(new RedisFault(`redis: ${this.address} did not answer within ${answerMsMax} ms`));
        return;
      }
      if (oldest === undefined && atMs - this.#heardMs > idleMs) this.call('PING', []).catch(() => undefined);
      this.#armWatch();
    });
  }
}

async function prepare(redis: Connection): Promise<ServerFacts> {
  await redis.connect();
  const facts = await readServerFacts(redis);
  await Promise.all(allScripts.map(({ text }) => redis.call('SCRIPT', 'LOAD', text)));
  return facts;
}

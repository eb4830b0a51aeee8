import type { ConnectRequest, ConnectResult, PublishResult, Push } from '@tutti/protocol';
import { disconnects, unsubscribes } from '@tutti/protocol';
import { Connection, type ConnectionChange } from './connection.ts';
import type { ConnectionState } from './connection-state.ts';
import { Emitter } from './emitter.ts';
import { settingsFrom, type Settings, type TuttiOptions } from './options.ts';
import { Outbox } from './outbox.ts';
import { Requests, type History, type HistoryOptions, type Members, type PublishOptions } from './requests.ts';
import { ServerSubscriptions, type ServerSubscriptionEvents } from './server-subscriptions.ts';
import {
  Subscription,
  type SubscriptionHost,
  type SubscriptionInlet,
  type SubscriptionOptions,
} from './subscription.ts';
import type { TransportName } from './transports.ts';
import { clientErrors, TuttiError } from './tutti-error.ts';

export interface Connected {
  /** The way to the server. */
  readonly transport: TransportName;
  /** This connection's id, as others see it. */
  readonly client: string;
  readonly data: unknown;
  /** The node that took the connection, where it says so. */
  readonly node: string | undefined;
}

export type TuttiEvents = ServerSubscriptionEvents & {
  state: ConnectionChange;
  connected: Connected;
  /** What the server sent to this connection alone. */
  message: unknown;
  error: TuttiError;
};

/**
 * A client of one Tutti server. It connects by itself, comes back by itself, and resumes all its
 * subscriptions where they were, until `close()`.
 */
export class Tutti extends Emitter<TuttiEvents> {
  readonly #settings: Settings;
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #requests: Requests;
  readonly #host: SubscriptionHost;
  readonly #inlets = new Map<string, SubscriptionInlet>();
  readonly #serverSubscriptions: ServerSubscriptions;
  #client: string | undefined;

  /** `url`: `ws:`, `wss:`, `http:` or `https:`. Throws where an option makes no sense, or there is no way to a server. */
  constructor(url: string, options: TuttiOptions = {}) {
    super();
    const settings = settingsFrom(options);
    this.#settings = settings;
    this.#connection = new Connection(url, settings, {
      connectRequest: () => this.#connectRequest(),
      stateChanged: (change) => this.emit('state', change),
      linkUp: () => this.#linkUp(),
      linkDown: () => this.#linkDown(),
      accepted: (result) => this.#accepted(result),
      stopped: (error) => this.#stopped(error),
      pushed: (push) => this.#pushed(push),
      handled: () => this.#outbox.flush(),
      report: (error) => this.emitError(error),
    });
    this.#outbox = new Outbox(settings.clock, this.#connection, settings.pendingMax, settings.inFlightMax);
    this.#requests = new Requests(this.#outbox, settings.timeoutMs, settings.random.id());
    this.#serverSubscriptions = new ServerSubscriptions({
      tell: (name, event) => this.emit(name, event as TuttiEvents[typeof name]),
      lost: (reason) => this.#connection.lost(reason, disconnects.insufficientState.code),
    });
    this.#host = this.#makeHost();
    if (settings.autoConnect) this.connect();
    else this.#outbox.stop(new TuttiError(clientErrors.disconnected, 'not connected: call connect() first'));
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** The way to the server; undefined while not connected. */
  get transport(): TransportName | undefined {
    return this.#connection.transport;
  }

  /** This connection's id; undefined while not connected. */
  get client(): string | undefined {
    return this.#client;
  }

  /** Requests that wait for a connection or an answer. */
  get pending(): number {
    return this.#outbox.pending;
  }

  /** Connects (again), after `autoConnect: false`, `disconnect()`, or a refusal; while waiting, at once. */
  connect(): void {
    this.#assertNotClosed();
    this.#outbox.start();
    this.#connection.connect();
  }

  /**
   * Disconnects until `connect()`. Subscriptions stay wanted, and then resume. Pending requests are
   * rejected. Tokens that `getToken` can replace are forgotten, since another user may be next.
   */
  disconnect(): void {
    this.#connection.disconnect();
  }

  /** Ends everything for good: no timer, listener or socket stays. */
  close(): void {
    this.#connection.close();
  }

  /** Resolves once connected; rejects when the client stops trying first. */
  ready(): Promise<void> {
    if (this.state === 'connected') return Promise.resolve();
    return new Promise((resolve, reject) => {
      const stopped = (): void => reject(new TuttiError(clientErrors.disconnected, `the client is ${this.state}`));
      if (this.state === 'disconnected' || this.state === 'closed') {
        stopped();
        return;
      }
      const off = this.on('state', ({ to }) => {
        if (to === 'connecting' || to === 'waiting') return;
        off();
        if (to === 'connected') resolve();
        else stopped();
      });
    });
  }

  /**
   * Follows a channel. Asked again for the same channel, it gives the same subscription (and the
   * options do not count). Listeners added in the same turn of the loop miss nothing.
   */
  subscribe<T = unknown>(channel: string, options: SubscriptionOptions = {}): Subscription<T> {
    const known = this.#inlets.get(channel)?.owner as Subscription<T> | undefined;
    return known ?? new Subscription<T>(channel, options, this.#host).subscribe();
  }

  /** Rejects with a `TuttiError`. One with `idempotencyKey` has an unknown outcome: repeating with that key is safe. */
  publish(channel: string, data: unknown, options: PublishOptions = {}): Promise<PublishResult> {
    return this.#requests.publish(channel, data, options);
  }
  history<T = unknown>(channel: string, options: HistoryOptions = {}): Promise<History<T>> {
    return this.#requests.history<T>(channel, options);
  }
  presence(channel: string): Promise<Members> {
    return this.#requests.presence(channel);
  }
  presenceStats(channel: string): Promise<{ clients: number; users: number }> {
    return this.#requests.presenceStats(channel);
  }

  /** Calls a method of the application behind the server. Not repeated by itself after a lost connection. */
  async rpc<R = unknown>(method: string, data?: unknown, options: { timeoutMs?: number } = {}): Promise<R> {
    return (await this.#requests.rpc(method, data, options.timeoutMs)) as R;
  }

  /** Sends without an answer; rejects where it cannot be sent now. */
  async send(data: unknown): Promise<void> {
    const { bufferedBytesMax, pendingMax } = this.#settings;
    if (!this.#connection.isConnected) {
      throw new TuttiError(clientErrors.disconnected, 'not connected; send() does not wait', { temporary: true });
    }
    if (this.#connection.bufferedBytes > bufferedBytesMax || this.#connection.gathered >= pendingMax) {
      throw new TuttiError(clientErrors.tooManyPending, 'the connection is slower than what is sent', {
        temporary: true,
      });
    }
    this.#connection.tell({ send: { data } });
  }

  #makeHost(): SubscriptionHost {
    const connection = this.#connection;
    return {
      settings: this.#settings,
      requests: this.#requests,
      get isOpen() {
        return connection.isOpen;
      },
      call: (body, onReply) => connection.call(body, onReply),
      lost: (reason) => connection.lost(reason),
      flush: () => this.#outbox.plan(),
      claim: (channel, inlet) => {
        this.#assertNotClosed();
        if (this.#inlets.has(channel))
          throw new Error(`another subscription follows ${channel}; use tutti.subscribe('${channel}')`);
        this.#inlets.set(channel, inlet);
      },
      release: (channel, inlet) => {
        if (this.#inlets.get(channel) === inlet) this.#inlets.delete(channel);
      },
    };
  }

  #assertNotClosed(): void {
    if (this.state === 'closed') throw new TuttiError(clientErrors.closed, 'the client was closed; make a new one');
  }

  #connectRequest(): ConnectRequest<unknown> {
    const { data, name, version } = this.#settings;
    const subs = this.#serverSubscriptions.requests();
    return {
      ...(data === undefined ? {} : { data }),
      ...(name === undefined ? {} : { name }),
      ...(version === undefined ? {} : { version }),
      ...(subs === undefined ? {} : { subs }),
    };
  }

  #linkUp(): void {
    for (const inlet of [...this.#inlets.values()]) inlet.linkUp();
  }

  #linkDown(): void {
    this.#client = undefined;
    this.#outbox.linkLost();
    this.#serverSubscriptions.linkDown();
    for (const inlet of [...this.#inlets.values()]) inlet.linkDown();
  }

  #accepted({ client, data, node, subs }: ConnectResult<unknown>): void {
    this.#client = client;
    this.emit('connected', { client, data, node, transport: this.transport! });
    if (this.#client === client) this.#serverSubscriptions.connected(subs ?? {});
  }

  #stopped(error: TuttiError): void {
    for (const inlet of this.#inlets.values()) inlet.forgetToken();
    // A listener may have called connect() meanwhile.
    if (this.state !== 'closed' && this.state !== 'disconnected') return;
    this.#outbox.stop(error);
    if (this.state !== 'closed') return;
    for (const inlet of [...this.#inlets.values()]) inlet.closed();
    this.#serverSubscriptions.clear(unsubscribes.disconnect.code, 'the client was closed');
  }

  #pushed(push: Push<unknown>): void {
    const { channel, message } = push;
    if (message !== undefined) this.emit('message', message.data);
    if (channel === undefined) return;
    const inlet = this.#inlets.get(channel);
    if (inlet !== undefined && push.subscribe === undefined) inlet.pushed(push);
    else this.#serverSubscriptions.pushed(channel, push);
  }
}

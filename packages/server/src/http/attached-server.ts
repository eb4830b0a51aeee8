import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Server as SecureServer } from 'node:https';
import type { Duplex } from 'node:stream';
import type { Log } from '../telemetry/telemetry.ts';
import { Dispatcher, programPaths, type DispatchOptions } from './dispatcher.ts';
import { errorBody, respondAndEnd } from './respond.ts';

/** A server of an application, with or without TLS. */
export type HostServer = Server | SecureServer;

type Emit = (this: HostServer, event: string | symbol, ...args: unknown[]) => boolean;
/** Node has it since 24.9; before that a listener for upgrades takes all of them. */
interface UpgradeChooser {
  shouldUpgradeCallback?: (this: unknown, request: IncomingMessage) => boolean;
}

/**
 * The node's paths on a server that is the application's. All else of it (its other requests and upgrades, its
 * address, its time-outs, its end) stays the application's.
 *
 * Requests are picked out where the server hands them to its listeners. As one listener among others the
 * node would come too late: a framework answers 404 to whatever it does not know, and WebSocket libraries
 * end upgrades for paths that are not theirs.
 */
export class AttachedServer {
  readonly #server: HostServer;
  readonly #log: Log;
  readonly #prefix: string;
  readonly #dispatcher: Dispatcher;
  #detach: (() => void) | undefined;

  constructor(server: HostServer, options: DispatchOptions, { log }: { readonly log: Log }) {
    this.#server = server;
    this.#log = log;
    this.#prefix = options.prefix ?? '';
    this.#dispatcher = new Dispatcher(options, log);
  }

  /** The port that the server listens on; 0 while it does not, or listens on no port. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  listen(): Promise<void> {
    const server = this.#server;
    // The types know each event apart; here all of them pass through.
    const host = server as unknown as { emit: Emit };
    const hadOwn = Object.hasOwn(server, 'emit');
    const before = host.emit;
    let isAttached = true;
    const ours: Emit = (event, ...args) => {
      if (isAttached && this.#take(event, args)) return true;
      return before.call(server, event, ...args);
    };
    host.emit = ours;
    server.on('upgrade', this.#leave);
    const chooseAsBefore = this.#chooseUpgrades();
    this.#detach = () => {
      isAttached = false;
      server.off('upgrade', this.#leave);
      chooseAsBefore();
      // Who put itself before us keeps its place; then ours passes everything on.
      if (host.emit !== ours) return;
      if (hadOwn) host.emit = before;
      else delete (host as { emit?: Emit }).emit;
    };
    return Promise.resolve();
  }

  /** Lets go of the server, which goes on. Connections must have ended. */
  close(): Promise<void> {
    this.#detach?.();
    this.#detach = undefined;
    return Promise.resolve();
  }

  /** As it stands in the request: what is written in another way is not ours, and no two judge it differently. */
  #owns({ url = '' }: IncomingMessage): boolean {
    const end = url.search(/[?#]/);
    const path = end < 0 ? url : url.slice(0, end);
    return this.#prefix === '' ? programPaths.test(path) : path === this.#prefix || path.startsWith(`${this.#prefix}/`);
  }

  #take(event: string | symbol, args: readonly unknown[]): boolean {
    if (event !== 'request' && event !== 'upgrade') return false;
    const request = args[0] as IncomingMessage;
    if (!this.#owns(request)) return false;
    // As a framework does it for what is mounted below a path.
    request.url = (request.url ?? '').slice(this.#prefix.length).replace(/^(?!\/)/, '/');
    if (event === 'request') this.#dispatcher.handle(request, args[1] as ServerResponse);
    else this.#dispatcher.upgrade(request, args[1] as Duplex, args[2] as Buffer);
    return true;
  }

  /** Without a listener the server would not hand out upgrades. This one hears those of others, and leaves them to them. */
  readonly #leave = (_request: IncomingMessage, socket: Duplex): void => {
    if (this.#otherUpgradeListeners() > 0) return;
    this.#log.debug({}, 'an upgrade that nobody takes');
    socket.on('error', () => undefined);
    respondAndEnd(socket, 404, errorBody('no upgrade here'));
  };

  #otherUpgradeListeners(): number {
    return this.#server.listeners('upgrade').filter((listener) => listener !== this.#leave).length;
  }

  /**
   * A request that only offers an upgrade (some clients offer HTTP/2 with every request) stays a request where
   * nobody but us would take it. Returns what undoes it.
   */
  #chooseUpgrades(): () => void {
    const server = this.#server as HostServer & UpgradeChooser;
    const before = server.shouldUpgradeCallback;
    if (typeof before !== 'function') return () => undefined;
    // Seen by the former rule, which counts listeners: the server without ours.
    const withoutOurs: unknown = Object.create(server, {
      listenerCount: {
        value: (name: string) => (name === 'upgrade' ? this.#otherUpgradeListeners() : server.listenerCount(name)),
      },
    });
    const ours = (request: IncomingMessage): boolean => this.#owns(request) || before.call(withoutOurs, request);
    server.shouldUpgradeCallback = ours;
    return () => {
      if (server.shouldUpgradeCallback === ours) server.shouldUpgradeCallback = before;
    };
  }
}

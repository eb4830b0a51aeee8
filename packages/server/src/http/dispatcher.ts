import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Log } from '../telemetry/telemetry.ts';
import type { UpgradeRefusal } from '../transport/transport.ts';
import { errorBody, jsonBody, respond, respondAndEnd } from './respond.ts';
import type { StaticFiles } from './static-files.ts';
import { unbuiltPage } from './unbuilt-page.ts';

/** Answers requests for one exact path, or for all below one that ends with `/`. A throw or a rejection is answered with 500. */
export interface HttpRoute {
  readonly methods: readonly string[];
  /** It reads bodies to their end, or has the connection ended: then the connection may serve further requests. */
  readonly readsBody?: boolean;
  handle(request: IncomingMessage, response: ServerResponse): void | Promise<void>;
}

/** Takes sockets that ask to be upgraded on one exact path; returns why not, then nothing was written. */
export interface UpgradeRoute {
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): UpgradeRefusal | undefined;
}

export interface DispatchOptions {
  /** What stood ahead of the paths, such as `/tutti`: for texts only, requests come without it. */
  readonly prefix?: string;
  readonly routes?: ReadonlyMap<string, HttpRoute>;
  readonly upgrades?: ReadonlyMap<string, UpgradeRoute>;
  /** The page. Absent: none is served. */
  readonly files?: StaticFiles | undefined;
}

/** First path segments that belong to programs: an unknown path there is an error, never the page. */
export const programPaths = /^\/(api|connection|emulation|health|ready|metrics)(\/|$)/;

/** Who answers which request: routes, `/health`, the page; and who takes which socket that is to be upgraded. */
export class Dispatcher {
  readonly #log: Log;
  readonly #prefix: string;
  readonly #files: StaticFiles | undefined;
  readonly #routes: ReadonlyMap<string, HttpRoute>;
  readonly #upgrades: ReadonlyMap<string, UpgradeRoute>;

  constructor({ prefix = '', routes = new Map(), upgrades = new Map(), files }: DispatchOptions, log: Log) {
    this.#log = log;
    this.#prefix = prefix;
    this.#routes = routes;
    this.#upgrades = upgrades;
    this.#files = files;
  }

  /**
   * An offer to speak another protocol may be ignored (RFC 9110, 7.8), and Java's HttpClient makes one, for
   * HTTP/2, with every first request. Node before 24.9 asks nobody and takes each for an upgrade.
   */
  isUpgrade(request: IncomingMessage): boolean {
    return this.#upgrades.has(pathOf(request) ?? '') || /websocket/i.test(request.headers.upgrade ?? '');
  }

  /** The boundary of one request: whatever goes wrong in it stays in it (S2, S23). */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const failed = (error: unknown): void => {
      this.#log.error({ error, path: pathOf(request) }, 'a request failed');
      if (response.headersSent) response.destroy();
      else respond(request, response, 500, errorBody('internal server error', 'Retry; the node log has the cause.'));
    };
    response.on('error', ignore);
    try {
      // A body nobody reads would be parsed as the next request otherwise.
      const isRead = this.#routes.get(pathOf(request) ?? '')?.readsBody === true;
      if (!isRead && hasBody(request)) response.setHeader('Connection', 'close');
      Promise.resolve(this.#dispatch(request, response)).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  /** A socket that asks to be upgraded: taken, or answered with why not and ended. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // From here on the socket is out of node:http's hands: no listener, no time-out is left on it (S23).
    socket.on('error', ignore);
    let refusal: UpgradeRefusal | undefined;
    try {
      const route = this.#upgrades.get(pathOf(request) ?? '');
      refusal =
        route === undefined
          ? { status: 404, message: `no WebSocket here; there is: ${[...this.#upgrades.keys()].join(', ')}` }
          : route.handleUpgrade(request, socket, head);
    } catch (error) {
      this.#log.error({ error }, 'a request to upgrade failed');
      refusal = { status: 500, message: 'internal server error' };
    }
    if (refusal === undefined) {
      // The transport has its own listener now.
      socket.off('error', ignore);
      return;
    }
    this.#log.debug({ status: refusal.status, reason: refusal.message }, 'refused to upgrade');
    respondAndEnd(socket, refusal.status, errorBody(refusal.message), refusal.headers);
  }

  #dispatch(request: IncomingMessage, response: ServerResponse): void | Promise<void> {
    const path = pathOf(request);
    if (path === undefined) {
      respond(request, response, 400, errorBody('the path is malformed'));
      return;
    }
    const route = this.#routes.get(path) ?? this.#routeAbove(path);
    if (route?.methods.includes(request.method ?? '') === true) return route.handle(request, response);
    if (route !== undefined) {
      refuseMethod(request, response, route.methods);
      return;
    }
    if (this.#upgrades.has(path)) {
      const body = errorBody('this path speaks WebSocket', 'Open it with a WebSocket client.');
      respond(request, response, 426, body, { Upgrade: 'websocket', Connection: 'Upgrade' });
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      if (path === '/health' || this.#files?.get(path) !== undefined) refuseMethod(request, response, ['GET', 'HEAD']);
      else this.#notFound(request, response, path);
      return;
    }
    if (path === '/health') respond(request, response, 200, jsonBody({}));
    else this.#servePage(request, response, path);
  }

  /** Exact paths come first. */
  #routeAbove(path: string): HttpRoute | undefined {
    for (const [prefix, route] of this.#routes) if (prefix.endsWith('/') && path.startsWith(prefix)) return route;
    return undefined;
  }

  #servePage(request: IncomingMessage, response: ServerResponse, path: string): void {
    const files = this.#files;
    // A path without a dot may be a view of the page, which has its own routes.
    const isView = !programPaths.test(path) && !(path.split('/').at(-1) ?? '').includes('.');
    const file = files?.get(path) ?? (isView ? files?.get('/') : undefined);
    if (file === undefined) {
      if (files !== undefined && isView && !files.isBuilt) respond(request, response, 503, unbuiltPage);
      else this.#notFound(request, response, path);
      return;
    }
    const headers = { ETag: file.etag, 'Cache-Control': file.cacheControl };
    const isKnown = (request.headers['if-none-match'] ?? '').split(',').some((tag) => tag.trim() === file.etag);
    respond(request, response, isKnown ? 304 : 200, file, headers);
  }

  #notFound(request: IncomingMessage, response: ServerResponse, path: string): void {
    respond(request, response, 404, errorBody(`nothing at ${path}`, `There is: ${this.#paths().join(', ')}.`));
  }

  #paths(): string[] {
    const page = this.#files === undefined ? [] : ['/'];
    const all = [...page, '/health', ...this.#routes.keys(), ...this.#upgrades.keys()];
    return all.map((path) => `${this.#prefix}${path}`);
  }
}

/** One for all sockets: the transport replaces it, or the socket ends. */
function ignore(): void {}

function refuseMethod(request: IncomingMessage, response: ServerResponse, methods: readonly string[]): void {
  const allowed = methods.join(', ');
  const body = errorBody(`${request.method ?? 'the method'} is not allowed here`, `Allowed: ${allowed}.`);
  respond(request, response, 405, body, { Allow: allowed, Connection: 'close' });
}

/** The decoded path without its query; undefined where it is none. No URL parser: those throw on hostile text (S2). */
function pathOf(request: IncomingMessage): string | undefined {
  const url = request.url ?? '';
  if (!url.startsWith('/')) return undefined;
  const end = url.search(/[?#]/);
  try {
    const path = decodeURIComponent(end < 0 ? url : url.slice(0, end));
    return /[\u0000-\u001f\u007f\\]/.test(path) ? undefined : path;
  } catch {
    return undefined;
  }
}

function hasBody(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined || (request.headers['content-length'] ?? '0') !== '0';
}

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../core/clock.ts';
import { Fault } from '../core/fault.ts';
import type { Log } from '../telemetry/telemetry.ts';
import type { UpgradeRefusal } from '../transport/transport.ts';
import { errorBody, jsonBody, respond, respondAndEnd } from './respond.ts';
import { StaticFiles } from './static-files.ts';
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

export interface HttpOptions {
  readonly host: string;
  /** 0: any free one; `port` tells which. */
  readonly port: number;
  /** Folder of the built dashboard. Absent: none is served. */
  readonly staticRoot?: string;
  readonly routes?: ReadonlyMap<string, HttpRoute>;
  readonly upgrades?: ReadonlyMap<string, UpgradeRoute>;
  /** Sockets, upgraded ones included; more are closed unanswered. Above what transports allow, so that those can answer 503. */
  readonly socketsMax?: number;
  /** From the first byte, or the accept, to the end of the headers (S3). */
  readonly headersTimeoutMs?: number;
  readonly requestTimeoutMs?: number;
  readonly checkIntervalMs?: number;
}

const headerBytesMax = 8 * 1024;
const headersMax = 100;
const keepAliveTimeoutMs = 5_000;
const closeGraceMs = 3_000;
/** First path segments that belong to programs: an unknown path there is an error, never the page. */
const programPaths = /^\/(api|connection|emulation|health|ready|metrics)(\/|$)/;

/** The node's HTTP face: the page, `/health`, routes given to it, and sockets to be upgraded. */
export class HttpServer {
  readonly #options: HttpOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #server: Server;
  readonly #files: StaticFiles | undefined;
  readonly #routes: ReadonlyMap<string, HttpRoute>;
  readonly #upgrades: ReadonlyMap<string, UpgradeRoute>;
  #isClosing = false;

  constructor(options: HttpOptions, seams: { clock: Clock; log: Log }) {
    this.#options = options;
    this.#clock = seams.clock;
    this.#log = seams.log;
    this.#routes = options.routes ?? new Map();
    this.#upgrades = options.upgrades ?? new Map();
    this.#files =
      options.staticRoot === undefined ? undefined : new StaticFiles(options.staticRoot, () => seams.clock.monotonic());
    this.#server = this.#createServer();
  }

  /** The port listened on; 0 before that. */
  get port(): number {
    const address = this.#server.address() as AddressInfo | null;
    return address?.port ?? 0;
  }

  /** Throws a `Fault` that says what to change, where the address cannot be had. */
  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      const failed = (cause: NodeJS.ErrnoException): void => {
        reject(listenFault(cause, this.#options.host, this.#options.port));
      };
      this.#server.once('error', failed);
      this.#server.listen({ host: this.#options.host, port: this.#options.port, backlog: 4_096 }, () => {
        this.#server.off('error', failed);
        this.#server.on('error', (error) => {
          this.#log.error({ error }, 'the HTTP server failed');
        });
        resolve();
      });
    });
  }

  /**
   * Stops accepting, lets requests under way finish within 3 s, and resolves when no plain HTTP
   * connection is left. Upgraded sockets are their transport's.
   */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#isClosing = true;
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    this.#server.closeIdleConnections();
    let timer;
    const grace = new Promise<void>((resolve) => {
      timer = this.#clock.after(closeGraceMs, resolve);
    });
    // An upgraded socket keeps 'close' from coming; by then only such ones are left.
    await Promise.race([closed, grace]);
    (timer as { cancel(): void } | undefined)?.cancel();
    this.#server.closeAllConnections();
  }

  #createServer(): Server {
    const server = createServer(
      {
        maxHeaderSize: headerBytesMax,
        headersTimeout: this.#options.headersTimeoutMs ?? 5_000,
        requestTimeout: this.#options.requestTimeoutMs ?? 10_000,
        connectionsCheckingInterval: this.#options.checkIntervalMs ?? 1_000,
        keepAliveTimeout: keepAliveTimeoutMs,
        insecureHTTPParser: false,
        requireHostHeader: true,
        noDelay: true,
        shouldUpgradeCallback: (request) => this.#isUpgrade(request),
      },
      (request, response) => {
        this.#handleSafely(request, response);
      },
    );
    server.maxHeadersCount = headersMax;
    if (this.#options.socketsMax !== undefined) server.maxConnections = this.#options.socketsMax;
    server.on('clientError', (error, socket) => {
      this.#clientError(error, socket);
    });
    server.on('upgrade', (request, socket, head) => {
      this.#upgrade(request, socket, head);
    });
    return server;
  }

  /**
   * An offer to speak another protocol may be ignored (RFC 9110, 7.8), and Java's HttpClient makes one, for
   * HTTP/2, with every first request. Node before 24.9 asks nobody and takes each for an upgrade.
   */
  #isUpgrade(request: IncomingMessage): boolean {
    return this.#upgrades.has(pathOf(request) ?? '') || /websocket/i.test(request.headers.upgrade ?? '');
  }

  /** The boundary of one request: whatever goes wrong in it stays in it (S2, S23). */
  #handleSafely(request: IncomingMessage, response: ServerResponse): void {
    const failed = (error: unknown): void => {
      this.#log.error({ error, path: pathOf(request) }, 'a request failed');
      if (response.headersSent) response.destroy();
      else respond(request, response, 500, errorBody('internal server error', 'Retry; the node log has the cause.'));
    };
    response.on('error', ignore);
    response.on('close', () => {
      // Its connection would be kept for another request, which will not be answered any more.
      if (this.#isClosing) this.#clock.soon(() => this.#server.closeIdleConnections());
    });
    try {
      // A body nobody reads would be parsed as the next request otherwise.
      const isRead = this.#routes.get(pathOf(request) ?? '')?.readsBody === true;
      if (!isRead && hasBody(request)) response.setHeader('Connection', 'close');
      Promise.resolve(this.#handle(request, response)).catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  #handle(request: IncomingMessage, response: ServerResponse): void | Promise<void> {
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
    return [...page, '/health', ...this.#routes.keys(), ...this.#upgrades.keys()];
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
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

  #clientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
    this.#log.debug({ code: error.code }, 'bad request');
    // Once an answer has begun on this socket, another would be read as part of it.
    const { bytesWritten = 0 } = socket as Duplex & { bytesWritten?: number };
    if (error.code === 'ECONNRESET' || bytesWritten > 0) socket.destroy();
    else respondAndEnd(socket, status, errorBody(statusMessages[status] ?? 'bad request'));
  }
}

const statusMessages: Readonly<Record<number, string>> = {
  400: 'the request is not HTTP/1.1 as its standard has it',
  408: 'the request took too long to arrive',
  431: `the headers are larger than ${headerBytesMax} bytes`,
};

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

function listenFault(cause: NodeJS.ErrnoException, host: string, port: number): Fault {
  const change = 'choose another with --port or TUTTI_PORT';
  const messages: Record<string, string> = {
    EADDRINUSE: `port ${port} on ${host} is already in use: stop the program that has it, or ${change}`,
    EACCES: `port ${port} needs more rights than this process has: ${change} (1024 or higher)`,
    EADDRNOTAVAIL: `${host} is no address of this machine: choose another with --host or TUTTI_HOST`,
    ENOTFOUND: `the name ${host} is not known: choose another with --host or TUTTI_HOST`,
  };
  const message = messages[cause.code ?? ''] ?? `cannot listen on ${host}, port ${port}: ${cause.message}`;
  return new Fault('http', message, { retryable: false, cause });
}

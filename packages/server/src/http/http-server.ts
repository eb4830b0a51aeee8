import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '../core/clock.ts';
import { Fault } from '../core/fault.ts';
import type { Log } from '../telemetry/telemetry.ts';
import { Certificate, type CertificateFiles } from './certificate.ts';
import { Dispatcher, type DispatchOptions } from './dispatcher.ts';
import { errorBody, respondAndEnd } from './respond.ts';
import { StaticFiles } from './static-files.ts';

export interface HttpOptions extends Pick<DispatchOptions, 'routes' | 'upgrades'> {
  readonly host: string;
  /** 0: any free one; `port` tells which. */
  readonly port: number;
  /** Folder of the built dashboard. Absent: none is served. */
  readonly staticRoot?: string;
  /** It speaks TLS alone. Absent: plain HTTP. */
  readonly certificate?: CertificateFiles;
  /** Sockets, upgraded ones included; more are closed unanswered. Above what transports allow, so that those can answer 503. */
  readonly socketsMax?: number;
  /** From the first byte, or the accept, to the end of the headers (S3). */
  readonly headersTimeoutMs?: number;
  readonly requestTimeoutMs?: number;
  readonly checkIntervalMs?: number;
  /** From the accept to the end of the TLS handshake (S33). */
  readonly handshakeTimeoutMs?: number;
  /** Between looks at the files of the certificate. */
  readonly certificateCheckMs?: number;
}

const headerBytesMax = 8 * 1024;
const headersMax = 100;
/**
 * Longer than proxies and clients keep a connection that they do not use, mostly 60 s: whoever ends it first must
 * not be the node, or a request that is on its way just then is lost, and a POST is not repeated.
 */
const keepAliveTimeoutMs = 75_000;
const closeGraceMs = 3_000;
/** Said here, so that no setting of the system or a later Node lowers it (S33). */
const tlsOptions = { minVersion: 'TLSv1.2' } as const;

/** A server of the node's own. */
export class HttpServer {
  readonly #options: HttpOptions;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #server: Server | SecureServer;
  readonly #certificate: Certificate | undefined;
  readonly #dispatcher: Dispatcher;
  #isClosing = false;

  constructor(options: HttpOptions, seams: { clock: Clock; log: Log }) {
    this.#options = options;
    this.#clock = seams.clock;
    this.#log = seams.log;
    const { staticRoot } = options;
    const files = staticRoot === undefined ? undefined : new StaticFiles(staticRoot, () => seams.clock.monotonic());
    this.#dispatcher = new Dispatcher({ ...options, files }, seams.log);
    this.#certificate = options.certificate && new Certificate(options.certificate, seams, options.certificateCheckMs);
    this.#server = this.#createServer();
  }

  /** The port listened on; 0 before that. */
  get port(): number {
    const address = this.#server.address() as AddressInfo | null;
    return address?.port ?? 0;
  }

  /** Throws a `Fault` that says what to change, where the address cannot be had. */
  async listen(): Promise<void> {
    await this.#listen();
    await this.#certificate?.watch((pair) => {
      if ('setSecureContext' in this.#server) this.#server.setSecureContext({ ...pair, ...tlsOptions });
    });
  }

  #listen(): Promise<void> {
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
    this.#certificate?.close();
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

  #createServer(): Server | SecureServer {
    const options: ServerOptions = {
      maxHeaderSize: headerBytesMax,
      headersTimeout: this.#options.headersTimeoutMs ?? 5_000,
      requestTimeout: this.#options.requestTimeoutMs ?? 10_000,
      connectionsCheckingInterval: this.#options.checkIntervalMs ?? 1_000,
      keepAliveTimeout: keepAliveTimeoutMs,
      insecureHTTPParser: false,
      requireHostHeader: true,
      noDelay: true,
      shouldUpgradeCallback: (request) => this.#dispatcher.isUpgrade(request),
    };
    const take = (request: IncomingMessage, response: ServerResponse): void => {
      response.on('close', () => {
        // Its connection would be kept for another request, which will not be answered any more.
        if (this.#isClosing) this.#clock.soon(() => this.#server.closeIdleConnections());
      });
      this.#dispatcher.handle(request, response);
    };
    const handshakeTimeout = this.#options.handshakeTimeoutMs ?? 5_000;
    const pair = this.#certificate?.read();
    const server =
      pair === undefined
        ? createServer(options, take)
        : createSecureServer({ ...options, ...pair, ...tlsOptions, handshakeTimeout }, take);
    server.maxHeadersCount = headersMax;
    if (this.#options.socketsMax !== undefined) server.maxConnections = this.#options.socketsMax;
    server.on('clientError', (error, socket) => {
      this.#clientError(error, socket);
    });
    server.on('upgrade', (request, socket, head) => {
      this.#dispatcher.upgrade(request, socket, head);
    });
    return server;
  }

  #clientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
    this.#log.debug({ code: error.code }, 'bad request');
    // Once an answer has begun on this socket, another would be read as part of it.
    const { bytesWritten = 0 } = socket as Duplex & { bytesWritten?: number };
    if (error.code === 'ECONNRESET' || bytesWritten > 0 || isOfTls(error)) socket.destroy();
    else respondAndEnd(socket, status, errorBody(statusMessages[status] ?? 'bad request'));
  }
}

/** Whoever has no TLS with us could not read an answer. */
function isOfTls({ code = '' }: NodeJS.ErrnoException): boolean {
  return /^ERR_(SSL|TLS)_/.test(code);
}

const statusMessages: Readonly<Record<number, string>> = {
  400: 'the request is not HTTP/1.1 as its standard has it',
  408: 'the request took too long to arrive',
  431: `the headers are larger than ${headerBytesMax} bytes`,
};

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

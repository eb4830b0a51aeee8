import { once } from 'node:events';
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** What becomes of requests to upgrade: they pass, are answered with 403, or with nothing at all. */
export type UpgradeFate = 'pass' | 'refuse' | 'swallow';

export interface HttpProxyOptions {
  readonly target: { readonly port: number };
  readonly upgrades: UpgradeFate;
}

/** A proxy of an office on 127.0.0.1: it understands HTTP, and has its own mind about WebSocket. */
export class HttpProxy {
  readonly port: number;
  upgrades: UpgradeFate;
  /** Requests and upgrades by path, in their order. */
  readonly seen: string[] = [];
  readonly #target: number;
  readonly #server: Server;
  readonly #sockets = new Set<Socket | Duplex>();

  private constructor(server: Server, options: HttpProxyOptions) {
    this.#server = server;
    this.#target = options.target.port;
    this.upgrades = options.upgrades;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (socket) => this.#keep(socket));
    server.on('request', (request, response) => this.#pass(request, response));
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  static async start(options: HttpProxyOptions): Promise<HttpProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new HttpProxy(server, options);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Cuts every connection. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cutAll();
    await closed;
  }

  #keep(socket: Socket | Duplex): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => this.#sockets.delete(socket));
  }

  #note({ url = '' }: IncomingMessage): void {
    this.seen.push(url.split('?')[0] ?? '');
  }

  #pass(request: IncomingMessage, response: ServerResponse): void {
    this.#note(request);
    const { method, url, headers } = request;
    const onward = httpRequest({ host: '127.0.0.1', port: this.#target, method, path: url, headers, agent: false });
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      answer.on('error', () => response.destroy());
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#note(request);
    if (this.upgrades === 'swallow') return;
    if (this.upgrades === 'refuse') {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      return;
    }
    const onward = connect(this.#target, '127.0.0.1');
    this.#keep(onward);
    const lines = request.rawHeaders.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('');
    onward.write(`GET ${request.url ?? '/'} HTTP/1.1\r\n${lines}\r\n`);
    onward.write(head);
    onward.pipe(socket).pipe(onward);
    onward.on('close', () => socket.destroy());
    socket.on('close', () => onward.destroy());
  }
}

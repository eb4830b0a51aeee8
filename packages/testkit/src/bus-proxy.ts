import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { cutterFor, type BusWire } from './bus-wire.ts';

export interface BusProxyOptions {
  readonly wire: BusWire;
  readonly target: { readonly port: number };
}

/** True: the message does not arrive. */
export type LosesTopic = (topic: string) => boolean;

/**
 * A node's way to NATS or Redis on 127.0.0.1 that loses messages of its subscriptions, and nothing else: the
 * store behind the same address stays reachable, and nobody is told that something is missing.
 */
export class BusProxy {
  readonly port: number;
  /** Messages lost so far, by topic. */
  readonly lost = new Map<string, number>();
  readonly #options: BusProxyOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #loses: LosesTopic = () => false;

  private constructor(server: Server, options: BusProxyOptions) {
    this.#server = server;
    this.#options = options;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => this.#connect(client));
  }

  static async start(options: BusProxyOptions): Promise<BusProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new BusProxy(server, options);
  }

  /** From the next message on. */
  lose(loses: LosesTopic): void {
    this.#loses = loses;
  }

  heal(): void {
    this.lose(() => false);
  }

  /** How many messages of topics that fit were lost so far. */
  lostOf(fits: LosesTopic): number {
    let sum = 0;
    for (const [topic, count] of this.lost) if (fits(topic)) sum += count;
    return sum;
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #connect(client: Socket): void {
    const { wire, target } = this.#options;
    const upstream = connect(target.port, '127.0.0.1');
    const cutter = cutterFor(wire);
    this.#keep(client, upstream);
    this.#keep(upstream, client);
    client.pipe(upstream);
    upstream.on('data', (chunk: Buffer) => {
      const passed = cutter.take(chunk).filter(({ topic }) => topic === undefined || !this.#isLost(topic));
      if (passed.length === 0 || client.destroyed) return;
      if (!client.write(Buffer.concat(passed.map(({ bytes }) => bytes)))) upstream.pause();
    });
    client.on('drain', () => upstream.resume());
  }

  #keep(socket: Socket, other: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay();
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      // What was said before the end still arrives.
      other.destroySoon();
    });
  }

  #isLost(topic: string): boolean {
    if (!this.#loses(topic)) return false;
    this.lost.set(topic, (this.lost.get(topic) ?? 0) + 1);
    return true;
  }
}

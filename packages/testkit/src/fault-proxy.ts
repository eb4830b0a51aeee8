import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { resetSocket } from './reset-socket.ts';
import { SeededRandom } from './seeded-random.ts';

/** `up`: from clients to the target; `down`: back. */
export type Direction = 'up' | 'down';

/** What goes wrong. All may be changed while connections live; what is under way keeps its order. */
export interface Faults {
  /** Every chunk waits so long, and up to `jitterMs` longer, by chance. */
  latencyMs?: number;
  jitterMs?: number;
  /** Chunks are cut into pieces of so many bytes, each written by itself. */
  sliceBytes?: number;
  /** Nothing passes this way, ends included; nobody is told. What came meanwhile is gone. */
  blackHole?: Direction | 'both' | undefined;
  /** New connections are reset. */
  refuse?: boolean;
  /** Bytes a second, each way of each connection. */
  bytesPerSecond?: number;
  /** Each connection is reset after so many bytes have passed this way, in mid-frame where that falls so. */
  cutAfter?: { direction: Direction; bytes: number } | undefined;
}

export interface FaultProxyOptions {
  readonly target: { readonly port: number; readonly host?: string };
  readonly seed?: number;
  readonly faults?: Faults;
}

/** Bytes one way may hold back before it stops reading: a proxy must not hide back-pressure. */
const heldBytesMax = 256 * 1024;
const rateTickMs = 20;

export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return new FaultProxy(server, options);
}

/** A TCP proxy on 127.0.0.1 that does wrong on demand. */
export class FaultProxy {
  readonly port: number;
  readonly random: SeededRandom;
  #faults: Faults;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  readonly #passedBefore = { up: 0, down: 0 };

  constructor(server: Server, options: FaultProxyOptions) {
    this.#server = server;
    this.random = new SeededRandom(options.seed ?? 1);
    this.#faults = { ...options.faults };
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (client) => {
      this.#connect(client, options.target);
    });
  }

  get faults(): Readonly<Faults> {
    return this.#faults;
  }

  /** Changes the named faults and leaves the others. */
  set(faults: Faults): void {
    this.#faults = { ...this.#faults, ...faults };
  }

  /** No faults from now on. What a black hole swallowed does not come back. */
  heal(): void {
    this.#faults = {};
  }

  get connections(): number {
    return this.#links.size;
  }

  /** Bytes passed on so far by the living connections. */
  passed(direction: Direction): number {
    let sum = 0;
    for (const link of this.#links) sum += link[direction].passed;
    return sum;
  }

  /** Bytes passed on so far, by connections that ended, too. */
  passedEver(direction: Direction): number {
    return this.#passedBefore[direction] + this.passed(direction);
  }

  /** Bytes that black holes took from the living connections. */
  swallowed(direction: Direction): number {
    let sum = 0;
    for (const link of this.#links) sum += link[direction].swallowed;
    return sum;
  }

  /** Both sides of every connection see a reset. */
  resetAll(): void {
    for (const link of this.#links) link.reset();
  }

  /** One way of every connection ends properly; the other stays. `up`: the target sees the end. */
  halfClose(direction: Direction): void {
    for (const link of this.#links) link[direction].end();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.resetAll();
    await closed;
  }

  #connect(client: Socket, target: FaultProxyOptions['target']): void {
    client.on('error', ignore);
    if (this.#faults.refuse === true) {
      resetSocket(client);
      return;
    }
    const upstream = connect({ port: target.port, host: target.host ?? '127.0.0.1', allowHalfOpen: true });
    upstream.on('error', ignore);
    client.setNoDelay();
    upstream.setNoDelay();
    const link = new Link(this, client, upstream);
    this.#links.add(link);
    link.ended.then(
      () => {
        this.#links.delete(link);
        for (const way of ['up', 'down'] as const) this.#passedBefore[way] += link[way].passed;
      },
      () => {},
    );
  }
}

/** A client's connection and its continuation to the target. */
class Link {
  readonly up: Way;
  readonly down: Way;
  readonly ended: Promise<void>;
  readonly #client: Socket;
  readonly #upstream: Socket;

  constructor(proxy: FaultProxy, client: Socket, upstream: Socket) {
    this.#client = client;
    this.#upstream = upstream;
    const cut = (): void => {
      this.reset();
    };
    this.up = new Way(proxy, 'up', client, upstream, cut);
    this.down = new Way(proxy, 'down', upstream, client, cut);
    this.ended = Promise.all([closedOf(client), closedOf(upstream)]).then(() => {
      this.up.stop();
      this.down.stop();
    });
    client.on('close', (failed) => {
      if (!this.up.isSwallowed) this.#followed(upstream, failed);
    });
    upstream.on('close', (failed) => {
      if (!this.down.isSwallowed) this.#followed(client, failed);
    });
  }

  reset(): void {
    resetSocket(this.#client);
    resetSocket(this.#upstream);
  }

  /** A side that broke breaks the other; one that ended properly has been passed on already, as an end. */
  #followed(other: Socket, failed: boolean): void {
    if (failed && !other.destroyed) resetSocket(other);
  }
}

/** One way of a link: a queue of pieces, each with the time it may leave. */
class Way {
  passed = 0;
  swallowed = 0;
  readonly #proxy: FaultProxy;
  readonly #direction: Direction;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #cut: () => void;
  readonly #queue: { bytes: Buffer | 'end'; dueMs: number }[] = [];
  #heldBytes = 0;
  #lastDueMs = 0;
  #allowanceBytes = 0;
  #allowanceAtMs = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #isBlocked = false;

  constructor(proxy: FaultProxy, direction: Direction, from: Socket, to: Socket, cut: () => void) {
    this.#proxy = proxy;
    this.#direction = direction;
    this.#from = from;
    this.#to = to;
    this.#cut = cut;
    from.on('data', (chunk: Buffer) => {
      this.#take(chunk);
    });
    from.on('end', () => {
      this.#take('end');
    });
    to.on('drain', () => {
      this.#isBlocked = false;
      this.#pump();
    });
  }

  end(): void {
    this.#to.end();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#queue.length = 0;
  }

  #take(bytes: Buffer | 'end'): void {
    const { latencyMs = 0, jitterMs = 0 } = this.#proxy.faults;
    // TCP keeps order, so jitter delays what comes behind as well.
    const dueMs = performance.now() + latencyMs + (jitterMs > 0 ? this.#proxy.random.next() * jitterMs : 0);
    this.#lastDueMs = Math.max(this.#lastDueMs, dueMs);
    this.#queue.push({ bytes, dueMs: this.#lastDueMs });
    if (bytes !== 'end') this.#heldBytes += bytes.length;
    if (this.#heldBytes > heldBytesMax) this.#from.pause();
    this.#pump();
  }

  #pump(): void {
    clearTimeout(this.#timer);
    for (let head = this.#queue[0]; head !== undefined && !this.#isBlocked; head = this.#queue[0]) {
      const waitMs = head.dueMs - performance.now();
      if (waitMs > 0) {
        this.#pumpIn(waitMs);
        return;
      }
      if (head.bytes === 'end') {
        this.#queue.shift();
        if (!this.isSwallowed) this.#to.end();
        continue;
      }
      const size = this.#pieceSize(head.bytes.length);
      if (size === 0) {
        this.#pumpIn(rateTickMs);
        return;
      }
      const piece = head.bytes.subarray(0, size);
      if (size === head.bytes.length) this.#queue.shift();
      else head.bytes = head.bytes.subarray(size);
      this.#heldBytes -= size;
      if (this.#heldBytes <= heldBytesMax && this.#from.isPaused()) this.#from.resume();
      if (!this.#pass(piece)) return;
      if (this.#proxy.faults.sliceBytes !== undefined) this.#pauseForTurn();
    }
  }

  /** Pieces written in one turn would be read as one. */
  #pauseForTurn(): void {
    if (this.#isBlocked) return;
    this.#isBlocked = true;
    setImmediate(() => {
      this.#isBlocked = false;
      this.#pump();
    });
  }

  /** False where the link was cut. */
  #pass(piece: Buffer): boolean {
    if (this.isSwallowed) {
      this.swallowed += piece.length;
      return true;
    }
    if (this.#to.destroyed || this.#to.writableEnded) return true;
    const cut = this.#proxy.faults.cutAfter;
    const left = cut?.direction === this.#direction ? Math.max(0, cut.bytes - this.passed) : Number.POSITIVE_INFINITY;
    const bytes = piece.subarray(0, Math.min(piece.length, left));
    this.passed += bytes.length;
    if (left <= piece.length) {
      // A reset drops what the kernel still holds: let the last bytes leave first.
      this.#isBlocked = true;
      this.#to.write(bytes, this.#cut);
      return false;
    }
    if (!this.#to.write(bytes)) this.#isBlocked = true;
    return true;
  }

  #pieceSize(available: number): number {
    const { sliceBytes, bytesPerSecond } = this.#proxy.faults;
    let size = Math.min(available, sliceBytes ?? available);
    if (bytesPerSecond !== undefined) {
      const nowMs = performance.now();
      const earned = ((nowMs - this.#allowanceAtMs) / 1_000) * bytesPerSecond;
      // At most a tick's worth is saved up, or one byte: a pause does not buy a burst.
      this.#allowanceBytes = Math.min(
        this.#allowanceBytes + earned,
        Math.max(1, (bytesPerSecond * rateTickMs * 2) / 1_000),
      );
      this.#allowanceAtMs = nowMs;
      size = Math.min(size, Math.floor(this.#allowanceBytes));
      this.#allowanceBytes -= size;
    }
    return size;
  }

  get isSwallowed(): boolean {
    const { blackHole } = this.#proxy.faults;
    return blackHole === 'both' || blackHole === this.#direction;
  }

  #pumpIn(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#pump();
    }, ms);
  }
}

function ignore(): void {}

function closedOf(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => {
      resolve();
    });
  });
}

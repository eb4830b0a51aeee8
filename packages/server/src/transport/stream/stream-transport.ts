import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Peers } from '../../cluster/peers.ts';
import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import { Entrance, type EntranceOptions, type EntranceSeams } from '../entrance.ts';
import { OpenConnections } from '../open-connections.ts';
import type { OriginRules } from '../origin.ts';
import { keptHeaders } from '../kept-headers.ts';
import { Places } from '../places.ts';
import type { Connection, ConnectionHandler, Transport, UpgradeRefusal } from '../transport.ts';
import { readBody } from './body.ts';
import { corsHeaders } from './cors.ts';
import { Emulation } from './emulation.ts';
import { closing, Gate, readable } from './gate.ts';
import type { StreamLink, StreamOwner } from './stream-connection.ts';
import type { Opening, StreamKind } from './stream-kinds.ts';

export interface StreamOptions extends OriginRules, EntranceOptions {
  /** How requests name this node. */
  readonly nodeName: string;
  /** Bytes of one frame from a peer. */
  readonly frameBytesMax: number;
  /** Headers that are kept for hooks, by lower-case name. */
  readonly hookHeaders: readonly string[];
  /** Time for queued output; then the connection is terminated. */
  readonly closeTimeoutMs: number;
}

export const streamDefaults: StreamOptions = {
  nodeName: 'node',
  allowedOrigins: [],
  loopbackOnly: false,
  frameBytesMax: 64 * 1024,
  connectionsMax: 50_000,
  connectionsPerAddressMax: 200,
  trustedProxies: [],
  hookHeaders: [],
  closeTimeoutMs: 5_000,
};

export interface StreamSeams extends EntranceSeams {
  readonly clock: Clock;
  readonly random: Random;
  /** Other nodes, whose sessions may be asked for here. */
  readonly peers: Peers;
}

const keepAliveAfterMs = 25_000;

/** What the streams of one node share: who may open one, and the requests of their peers. */
export class StreamHub {
  readonly options: StreamOptions;
  readonly seams: StreamSeams;
  readonly entrance: Entrance;
  readonly gate: Gate;
  readonly emulation: Emulation;

  constructor(options: Partial<StreamOptions>, seams: StreamSeams) {
    this.options = { ...streamDefaults, ...options };
    this.seams = seams;
    this.entrance = new Entrance(this.options, seams, closing);
    this.gate = new Gate(this.options, this.entrance);
    const reading = new Places(this.options);
    const { peers } = seams;
    this.emulation = new Emulation(this.options, { gate: this.gate, entrance: this.entrance, reading, peers });
  }
}

/** Streams of one kind, on an HTTP server that hands over the requests for them. */
export class StreamTransport implements Transport {
  readonly name: string;
  readonly methods: readonly string[];
  /** For the HTTP server: bodies are read here. */
  readonly readsBody = true;
  readonly #kind: StreamKind;
  readonly #hub: StreamHub;
  readonly #connections: OpenConnections<StreamLink>;
  readonly #owner: StreamOwner;
  #accept: ((connection: Connection) => ConnectionHandler) | undefined;

  constructor(kind: StreamKind, hub: StreamHub) {
    this.#kind = kind;
    this.#hub = hub;
    this.name = kind.name;
    this.methods = [...kind.methods, 'OPTIONS'];
    this.#connections = new OpenConnections(hub.seams.clock, hub.options.closeTimeoutMs, hub.entrance.places);
    this.#owner = {
      clock: hub.seams.clock,
      telemetry: hub.seams.telemetry,
      ending: (connection) => {
        hub.emulation.delete(connection);
        this.#connections.ending(connection);
      },
      ended: (connection) => {
        hub.emulation.delete(connection);
        this.#connections.delete(connection);
      },
    };
  }

  /** Connections that are open or ending. */
  get connections(): number {
    return this.#connections.size;
  }

  listen(accept: (connection: Connection) => ConnectionHandler): void {
    this.#accept = accept;
  }

  close(): Promise<void> {
    this.#accept = undefined;
    return Promise.resolve();
  }

  empty(): Promise<void> {
    return this.#connections.empty();
  }

  /** Takes the response, or says why not: then nothing was written to it, and the caller answers. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<UpgradeRefusal | undefined> {
    const { gate, entrance } = this.#hub;
    // It waits behind another response on the same socket, which may be a stream: no end, no bound.
    if (response.socket === null) {
      request.socket.destroy();
      return undefined;
    }
    if (request.method === 'OPTIONS') return gate.preflight(request, response, this.methods);
    const busy = entrance.admit();
    if (busy !== undefined) return readable(request, busy);
    const refusal = await this.#take(request, response);
    if (refusal !== undefined) entrance.giveBack();
    return refusal;
  }

  /** A place is taken before the body is read, which may take its time. */
  async #take(request: IncomingMessage, response: ServerResponse): Promise<UpgradeRefusal | undefined> {
    const { gate, entrance } = this.#hub;
    const { places } = entrance;
    const accept = this.#accept;
    if (accept === undefined) return readable(request, entrance.draining());
    const address = entrance.addressOf(request);
    if (typeof address !== 'string') return readable(request, address);
    const foreign = gate.checkPage(request);
    if (foreign !== undefined) return { ...foreign, headers: closing };
    places.take(address);
    const opening = await this.#read(request).catch((error: unknown) => {
      places.give(address);
      throw error;
    });
    if (opening === 'cut off' || response.destroyed) {
      places.give(address);
      response.destroy();
      return undefined;
    }
    if ('status' in opening) {
      places.give(address);
      return readable(request, opening);
    }
    const refusal = await this.#open(request, response, opening, address, accept);
    return refusal === undefined ? undefined : readable(request, refusal);
  }

  async #read(request: IncomingMessage): Promise<Opening | UpgradeRefusal | 'cut off'> {
    const { gate, options, seams } = this.#hub;
    const body = await readBody(request, request.method === 'POST' ? options.frameBytesMax : 0);
    if (body === 'cut off') return body;
    if (body === 'too large') return gate.malformed(`a frame has at most ${options.frameBytesMax} bytes`, 413);
    const opening = this.#kind.open(request, queryOf(request), body, seams.random.next());
    return typeof opening === 'string' ? gate.malformed(opening) : opening;
  }

  #open(
    request: IncomingMessage,
    response: ServerResponse,
    { connect, first }: Opening,
    remoteAddress: string,
    accept: (connection: Connection) => ConnectionHandler,
  ): Promise<UpgradeRefusal | undefined> {
    const { emulation, options, seams } = this.#hub;
    const hookHeaders = keptHeaders(request, options.hookHeaders);
    const facts = {
      transport: this.name,
      remoteAddress,
      headers: corsHeaders(request),
      ...(hookHeaders === undefined ? {} : { hookHeaders }),
      ...(this.#kind.isOneWay ? {} : { session: seams.random.id() }),
    };
    // A network that vanished without a word shows sooner.
    response.socket?.setKeepAlive(true, keepAliveAfterMs);
    const connection = connect(response, facts, this.#owner);
    this.#connections.add(connection);
    try {
      const handler = accept(connection);
      emulation.add(connection);
      connection.begin(handler, first);
    } catch (error) {
      seams.telemetry.count('bugs');
      seams.telemetry.log.error({ error, transport: this.name }, 'a connection could not be accepted');
      connection.terminate();
    }
    return connection.opened;
  }
}

function queryOf(request: IncomingMessage): URLSearchParams {
  const url = request.url ?? '';
  const start = url.indexOf('?');
  return new URLSearchParams(start < 0 ? '' : url.slice(start + 1));
}

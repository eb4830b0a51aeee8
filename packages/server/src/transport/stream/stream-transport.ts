import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Peers } from '../../cluster/peers.ts';
import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import { OpenConnections } from '../open-connections.ts';
import type { OriginRules } from '../origin.ts';
import { keptHeaders } from '../kept-headers.ts';
import { Places } from '../places.ts';
import { RemoteAddresses } from '../remote-addresses.ts';
import type { AddressPace, Admission, Connection, ConnectionHandler, Transport, UpgradeRefusal } from '../transport.ts';
import { readBody } from './body.ts';
import { corsHeaders } from './cors.ts';
import { Emulation } from './emulation.ts';
import { Gate, readable } from './gate.ts';
import type { StreamLink, StreamOwner } from './stream-connection.ts';
import type { Opening, StreamKind } from './stream-kinds.ts';

export interface StreamOptions extends OriginRules {
  /** How requests name this node. */
  readonly nodeName: string;
  /** Bytes of one frame from a peer. */
  readonly frameBytesMax: number;
  readonly connectionsMax: number;
  readonly connectionsPerAddressMax: number;
  /** Addresses or networks (`10.0.0.0/8`) whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly string[];
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

export interface StreamSeams {
  readonly clock: Clock;
  readonly random: Random;
  readonly telemetry: Telemetry;
  /** Without it everybody is admitted. */
  readonly admission?: Admission;
  /** Without it an address may come as often as it likes. */
  readonly pace?: AddressPace;
  /** Shared with the other transports of the node; without it the bounds of the options hold here alone. */
  readonly places?: Places;
  /** Other nodes, whose sessions may be asked for here. */
  readonly peers: Peers;
}

const keepAliveAfterMs = 25_000;
const everybody: Admission = { admit: () => undefined, giveBack: () => undefined };

/** What the streams of one node share: who may open one, and the requests of their peers. */
export class StreamHub {
  readonly options: StreamOptions;
  readonly seams: StreamSeams;
  readonly gate: Gate;
  readonly addresses: RemoteAddresses;
  readonly places: Places;
  readonly emulation: Emulation;

  constructor(options: Partial<StreamOptions>, seams: StreamSeams) {
    this.options = { ...streamDefaults, ...options };
    this.seams = seams;
    this.gate = new Gate(this.options, seams.telemetry);
    this.addresses = new RemoteAddresses(this.options.trustedProxies);
    this.places = seams.places ?? new Places(this.options);
    const reading = new Places(this.options);
    const { peers } = seams;
    this.emulation = new Emulation(this.options, { gate: this.gate, addresses: this.addresses, reading, peers });
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
  readonly #admission: Admission;
  readonly #connections: OpenConnections<StreamLink>;
  readonly #owner: StreamOwner;
  #accept: ((connection: Connection) => ConnectionHandler) | undefined;

  constructor(kind: StreamKind, hub: StreamHub) {
    this.#kind = kind;
    this.#hub = hub;
    this.name = kind.name;
    this.methods = [...kind.methods, 'OPTIONS'];
    this.#admission = hub.seams.admission ?? everybody;
    this.#connections = new OpenConnections(hub.seams.clock, hub.options.closeTimeoutMs, hub.places);
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
    const { gate } = this.#hub;
    // It waits behind another response on the same socket, which may be a stream: no end, no bound.
    if (response.socket === null) {
      request.socket.destroy();
      return undefined;
    }
    if (request.method === 'OPTIONS') return gate.preflight(request, response, this.methods);
    // First, because nothing costs less (CON-2).
    const refused = this.#admission.admit();
    if (refused !== undefined) {
      return readable(request, gate.busy(refused.reason, 'the node takes no connection now', refused.retryAfterMs));
    }
    const refusal = await this.#take(request, response);
    if (refusal !== undefined) this.#admission.giveBack();
    return refusal;
  }

  /** A place is taken before the body is read, which may take its time. */
  async #take(request: IncomingMessage, response: ServerResponse): Promise<UpgradeRefusal | undefined> {
    const { gate, addresses, places, seams } = this.#hub;
    const accept = this.#accept;
    if (accept === undefined) return readable(request, gate.busy('draining', 'the node is stopping'));
    const address = addresses.of(request);
    const often = seams.pace?.admit(address);
    if (often !== undefined) return readable(request, gate.tooOften(often));
    const full = places.full(address);
    if (full !== undefined) return readable(request, gate.full(full));
    const foreign = gate.checkPage(request);
    if (foreign !== undefined) return { ...foreign, headers: { Connection: 'close' } };
    places.take(address);
    const opening = await this.#read(request);
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

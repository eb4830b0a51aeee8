import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { disconnects, type Codec } from '@tutti/protocol';
import { jsonCodec } from '@tutti/protocol/json';
import { protobufCodec } from '@tutti/protocol/protobuf';
import { WebSocketServer, type ServerOptions, type WebSocket } from 'ws';
import type { Clock } from '../../core/clock.ts';
import { Entrance, type EntranceOptions, type EntranceSeams } from '../entrance.ts';
import { OpenConnections } from '../open-connections.ts';
import type { OriginRules } from '../origin.ts';
import { keptHeaders } from '../kept-headers.ts';
import type { Connection, ConnectionHandler, Transport, UpgradeRefusal } from '../transport.ts';
import { checkHandshake, protobufSubprotocol } from './handshake.ts';
import { WebSocketConnection, type ConnectionOwner, type PeerFacts } from './websocket-connection.ts';

export interface WebSocketOptions extends OriginRules, EntranceOptions {
  /** Bytes of one message from a peer, all its fragments together. */
  readonly frameBytesMax: number;
  /** Headers that are kept for hooks, by lower-case name. */
  readonly hookHeaders: readonly string[];
  /** Time for queued output and the closing handshake; then the connection is terminated. */
  readonly closeTimeoutMs: number;
  /** How often messages that were begun and not finished are looked for; the second look ends them. */
  readonly sweepIntervalMs: number;
}

export const webSocketDefaults: WebSocketOptions = {
  allowedOrigins: [],
  loopbackOnly: false,
  frameBytesMax: 64 * 1024,
  connectionsMax: 50_000,
  connectionsPerAddressMax: 200,
  trustedProxies: [],
  hookHeaders: [],
  closeTimeoutMs: 5_000,
  sweepIntervalMs: 5_000,
};

const fragmentsMax = 64;
const bufferedChunksMax = 1_024;
const pendingPongsMax = 16;

/**
 * WebSockets on an HTTP server that hands over its requests to upgrade. Compression is off and stays
 * off (S16); UTF-8 of text frames is checked (S18).
 */
export class WebSocketTransport implements Transport {
  readonly name = 'websocket';
  readonly #options: WebSocketOptions;
  readonly #server: WebSocketServer;
  readonly #entrance: Entrance;
  readonly #owner: ConnectionOwner;
  readonly #connections: OpenConnections<WebSocketConnection>;
  #isSweepTimerSet = false;
  #accept: ((connection: Connection) => ConnectionHandler) | undefined;

  constructor(options: Partial<WebSocketOptions>, seams: EntranceSeams & { readonly clock: Clock }) {
    this.#options = { ...webSocketDefaults, ...options };
    this.#entrance = new Entrance(this.#options, seams);
    this.#connections = new OpenConnections(seams.clock, this.#options.closeTimeoutMs, this.#entrance.places);
    this.#owner = {
      clock: seams.clock,
      telemetry: seams.telemetry,
      ending: (connection) => {
        this.#connections.ending(connection);
      },
      ended: (connection) => {
        this.#connections.delete(connection);
      },
    };
    this.#server = new WebSocketServer(this.#wsOptions());
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

  /**
   * Takes the socket of a request to upgrade, or says why not: then nothing was written to it, and the
   * caller answers. Never throws.
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): UpgradeRefusal | undefined {
    const busy = this.#entrance.admit();
    if (busy !== undefined) return busy;
    const refusal = this.#take(request, socket, head);
    if (refusal !== undefined) this.#entrance.giveBack();
    return refusal;
  }

  #take(request: IncomingMessage, socket: Duplex, head: Buffer): UpgradeRefusal | undefined {
    const accept = this.#accept;
    if (accept === undefined) return this.#entrance.draining();
    const address = this.#entrance.addressOf(request);
    if (typeof address !== 'string') return address;
    const handshake = checkHandshake(request, this.#options);
    if (!handshake.accepted) {
      this.#entrance.count(handshake.refusal.status === 403 ? 'origin' : 'malformed');
      return handshake.refusal;
    }
    const codec = handshake.format === 'protobuf' ? protobufCodec : jsonCodec;
    const facts = { remoteAddress: address, headers: keptHeaders(request, this.#options.hookHeaders) };
    this.#server.handleUpgrade(request, socket, head, (ws) => {
      this.#open(ws, socket, codec, facts, accept);
    });
    return undefined;
  }

  #wsOptions(): ServerOptions {
    const options: ServerOptions & { closeTimeout: number; maxPendingAutoPongs: number } = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      skipUTF8Validation: false,
      maxPayload: this.#options.frameBytesMax,
      maxFragments: fragmentsMax,
      maxBufferedChunks: bufferedChunksMax,
      maxPendingAutoPongs: pendingPongsMax,
      // A second line only: our own list of ending connections is quicker.
      closeTimeout: this.#options.closeTimeoutMs * 2,
      handleProtocols: (offered) => (offered.has(protobufSubprotocol) ? protobufSubprotocol : false),
    };
    return options;
  }

  #open(
    ws: WebSocket,
    socket: Duplex,
    codec: Codec,
    facts: PeerFacts,
    accept: (connection: Connection) => ConnectionHandler,
  ): void {
    const connection = new WebSocketConnection(ws, socket, codec, facts, this.#owner);
    this.#connections.add(connection);
    this.#entrance.places.take(facts.remoteAddress);
    this.#sweepLater();
    try {
      connection.begin(accept(connection));
    } catch (error) {
      this.#owner.telemetry.count('bugs');
      this.#owner.telemetry.log.error({ error, transport: this.name }, 'a connection could not be accepted');
      connection.terminate();
    }
  }

  /** Stops by itself when there is nobody to look at. */
  #sweepLater(): void {
    if (this.#isSweepTimerSet || this.#connections.size === 0) return;
    this.#isSweepTimerSet = true;
    this.#owner.clock.after(this.#options.sweepIntervalMs, () => {
      this.#isSweepTimerSet = false;
      for (const connection of this.#connections) {
        if (connection.sweepUnfinished()) connection.close(disconnects.stale, 'unfinished message');
      }
      this.#sweepLater();
    });
  }
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import { disconnects } from '@tutti/protocol';
import type { Peers } from '../../cluster/peers.ts';
import type { Entrance } from '../entrance.ts';
import type { Places } from '../places.ts';
import type { UpgradeRefusal } from '../transport.ts';
import { readBody } from './body.ts';
import { corsHeaders } from './cors.ts';
import { EmulationRelay, relayedFrameBytesMax } from './emulation-relay.ts';
import { readEmulationRequest, type EmulationRequest } from './emulation-request.ts';
import { closing, readable, type Gate } from './gate.ts';
import type { StreamLink } from './stream-connection.ts';

/** JSON in a JSON string: every quote is escaped, and little else. */
const escapingMost = 2;
const envelopeBytesMax = 1_024;
/** Of frames from other nodes that wait for one session, which is held back. */
export const relayedWaitingBytesMax: number = 1024 * 1024;
/** What a frame that waits costs besides its bytes. */
const waitingBytes = 512;

export interface EmulationSeams {
  readonly gate: Gate;
  readonly entrance: Entrance;
  /** Bounds the requests that are being read, as connections are: each may hold as much memory. */
  readonly reading: Places;
  /** The other nodes: their sessions are reached from here, and those of this node from there. */
  readonly peers: Peers;
}

/**
 * The other direction of streams: requests that name a session and bring a frame for it.
 *
 * A session is known by an id that only its peer was told (S24). Frames of one session take effect in
 * the order in which their requests were complete. An id that is not known (any more) is answered like
 * one that is: the peer learns of the end from its stream, and a stranger nothing.
 *
 * Admission is not asked: these are frames of connections that were admitted, and a command refused
 * because the node is busy would be lost to a peer that was let in. What strangers cost is bounded by
 * `reading` and by the size of a body.
 */
export class Emulation {
  readonly #nodeName: string;
  readonly #frameBytesMax: number;
  readonly #seams: EmulationSeams;
  readonly #elsewhere: EmulationRelay;
  readonly #sessions = new Map<string, StreamLink>();
  /** Bytes of frames from other nodes that wait; of those alone for whom some do. */
  readonly #relayed = new Map<StreamLink, number>();
  readonly methods: readonly string[] = ['POST', 'OPTIONS'];
  /** For the HTTP server: bodies are read here. */
  readonly readsBody = true;

  constructor(options: { nodeName: string; frameBytesMax: number }, seams: EmulationSeams) {
    this.#nodeName = options.nodeName;
    this.#frameBytesMax = options.frameBytesMax;
    this.#seams = seams;
    this.#elsewhere = new EmulationRelay(seams.peers, (asked) => this.#takeRelayed(asked));
  }

  get sessions(): number {
    return this.#sessions.size;
  }

  add(connection: StreamLink): void {
    if (connection.session !== undefined) this.#sessions.set(connection.session, connection);
  }

  /** Idempotent. */
  delete(connection: StreamLink): void {
    if (connection.session !== undefined) this.#sessions.delete(connection.session);
  }

  /** Answers, or says why not: then nothing was written. Never throws. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<UpgradeRefusal | undefined> {
    const { gate, entrance, reading } = this.#seams;
    if (request.method === 'OPTIONS') return gate.preflight(request, response, this.methods);
    const refusal = gate.checkPage(request);
    if (refusal !== undefined) return { ...refusal, headers: closing };
    const address = entrance.addresses.of(request);
    const full = reading.full(address);
    if (full !== undefined) return readable(request, entrance.full(full));
    reading.take(address);
    try {
      return await this.#read(request, response);
    } finally {
      reading.give(address);
    }
  }

  async #read(request: IncomingMessage, response: ServerResponse): Promise<UpgradeRefusal | undefined> {
    const body = await readBody(request, this.#frameBytesMax * escapingMost + envelopeBytesMax);
    if (body === 'cut off') {
      response.destroy();
      return undefined;
    }
    if (body === 'too large') return readable(request, this.#tooLarge());
    const isProtobuf = isOctetStream(request);
    const asked = readEmulationRequest(body, isProtobuf);
    if (asked === undefined) {
      return readable(request, this.#seams.gate.malformed('the body is no emulation request'));
    }
    if (asked.data.length > this.#frameBytesMax) return readable(request, this.#tooLarge());
    const taken = (): void => {
      response.writeHead(204, corsHeaders(request));
      response.end();
    };
    if (asked.node !== this.#nodeName) return this.#relay(request, asked, taken);
    await this.#take(asked, taken);
    return undefined;
  }

  /** `taken` is called first, because the frame may end the session, whose last words go to the stream. */
  async #take({ session, codec, data }: EmulationRequest, taken: () => void): Promise<void> {
    const connection = this.#sessions.get(session);
    // Held back with its request, so that the peer's own connections fill up. In order: each waits behind those before it.
    while (connection?.held !== undefined) await connection.held;
    taken();
    if (connection === undefined) return;
    if (connection.codec.name === codec) connection.receive(data);
    else connection.close(disconnects.badRequest);
  }

  /**
   * A frame of a request to this node waits with that request, which has its place. One from another node waits here
   * alone once its request was given up there: so this has a bound, and who floods beyond it is sent away (S21).
   */
  async #takeRelayed(asked: EmulationRequest): Promise<void> {
    const connection = this.#sessions.get(asked.session);
    if (connection?.held === undefined) return this.#take(asked, () => undefined);
    const bytes = asked.data.length + waitingBytes;
    const waiting = (this.#relayed.get(connection) ?? 0) + bytes;
    if (waiting > relayedWaitingBytesMax) {
      connection.close(disconnects.tooManyRequests);
      return undefined;
    }
    this.#relayed.set(connection, waiting);
    await this.#take(asked, () => undefined);
    const left = (this.#relayed.get(connection) ?? bytes) - bytes;
    if (left > 0) this.#relayed.set(connection, left);
    else this.#relayed.delete(connection);
    return undefined;
  }

  async #relay(
    request: IncomingMessage,
    asked: EmulationRequest,
    taken: () => void,
  ): Promise<UpgradeRefusal | undefined> {
    if (asked.data.length > relayedFrameBytesMax) {
      const message = `a frame for another node has at most ${relayedFrameBytesMax} bytes`;
      return readable(request, this.#seams.gate.malformed(message, 413));
    }
    const outcome = await this.#elsewhere.relay(asked);
    if (outcome === 'busy') {
      return readable(request, this.#seams.entrance.busy('relays', 'too many frames wait for other nodes'));
    }
    // That of a node that is gone: the client connects anew.
    if (outcome === 'gone') return readable(request, { status: 404, message: 'no such node here' });
    taken();
    return undefined;
  }

  #tooLarge(): UpgradeRefusal {
    return this.#seams.gate.malformed(`a frame has at most ${this.#frameBytesMax} bytes`, 413);
  }
}

export function isOctetStream(request: IncomingMessage): boolean {
  return (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() === 'application/octet-stream';
}

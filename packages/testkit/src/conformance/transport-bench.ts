import assert from 'node:assert/strict';
import type { Codec } from '@tutti/protocol';
import type { ClosedReason, Connection, ConnectionHandler, OutboundFrame, Transport } from '@tutti/server/internal';
import { eventually } from '../eventually.ts';

/** The other end of a connection, as the suite needs it. */
export interface TransportPeer {
  /** One whole frame of the connection's codec. */
  send(frame: Uint8Array): void;
  /** Begins a frame and never finishes it. */
  sendPart(bytes: Uint8Array): void;
  /** The payload of the next frame; undefined once the connection has ended. */
  next(): Promise<Uint8Array | undefined>;
  /** Why the node ended it, where the transport can say; reads on to that. */
  closedWith(): Promise<{ code: number; reason: string } | undefined>;
  /** Ends it properly, with a code where the transport has such. */
  close(code: number, reason: string): void;
  /** Is gone, without a word. */
  vanish(): void;
  pause(): void;
  resume(): void;
}

export interface TransportUnderTest {
  readonly transport: Transport;
  readonly codecs: readonly Codec['name'][];
  /** Who confirms that bytes were taken (BP-2): the `peer`, once it has read them; or the `kernel`, once it has them to send. */
  readonly confirms: 'peer' | 'kernel';
  /** Largest frame it lets in; the suite sends one more. */
  readonly frameBytesMax: number;
  /** What comes of a frame above that: by default the connection ends; `refused`: the frame alone. */
  readonly oversized?: 'refused';
  /** Rejects where the node does not take the connection. */
  connect(codec: Codec['name']): Promise<TransportPeer>;
  /** Ends all that `create` began. */
  dispose(): Promise<void>;
}

/** Answer to a ping of the protocol, as JSON; what else the suite sends is no JSON at all. */
const pong = Buffer.from('{}');

/** A connection as the transport handed it over, and all it has told. */
export class Recorded implements ConnectionHandler {
  readonly connection: Connection;
  readonly received: Buffer[] = [];
  readonly reasons: ClosedReason[] = [];
  /** Round trips of the marks that came back. */
  readonly confirmations: (number | undefined)[] = [];
  calledAfterClosed = 0;
  onReceive: (frame: Uint8Array) => void = () => {};

  constructor(connection: Connection) {
    this.connection = connection;
  }

  receive(frame: Uint8Array): void {
    this.#note();
    const { protocolPings } = this.connection;
    if (protocolPings !== undefined && Buffer.from(frame).equals(pong)) {
      assert.ok(protocolPings.answered(), 'an answer to a ping that was not sent');
      return;
    }
    // A copy, as a codec makes one: the bytes belong to the transport again when this returns.
    this.received.push(Buffer.from(frame));
    this.onReceive(frame);
  }

  confirmed(roundTripMs: number | undefined): void {
    this.#note();
    this.confirmations.push(roundTripMs);
  }

  closed(reason: ClosedReason): void {
    this.reasons.push(reason);
  }

  #note(): void {
    if (this.reasons.length > 0) this.calledAfterClosed++;
  }
}

export class Bench {
  readonly under: TransportUnderTest;
  readonly accepted: Recorded[] = [];

  constructor(under: TransportUnderTest) {
    this.under = under;
    under.transport.listen((connection) => {
      const recorded = new Recorded(connection);
      this.accepted.push(recorded);
      return recorded;
    });
  }

  async open(codec = this.under.codecs[0] ?? 'json'): Promise<{ peer: TransportPeer; node: Recorded }> {
    const before = this.accepted.length;
    const peer = await this.under.connect(codec);
    await eventually(() => this.accepted.length > before, { what: 'the connection' });
    const node = this.accepted[before];
    assert.ok(node);
    const { connection } = node;
    // What a session does once the peer was told to answer.
    const ping = connection.codec.joinReplies([connection.codec.encodeReply({})]);
    connection.protocolPings?.begin(frameOf(ping, connection));
    return { peer, node };
  }
}

export type Step = (bench: Bench) => Promise<void>;
/** Adds a test to the suite, on a transport of its own. */
export type Check = (title: string, step: Step) => void;

export function frameOf(bytes: Uint8Array, connection: Connection): OutboundFrame {
  return { bytes, binary: connection.codec.binary };
}

/** Letters, so that it is a text as well as bytes. */
export function filled(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) bytes[i] = 97 + (i % 26);
  return bytes;
}

export async function nextBytes(peer: TransportPeer): Promise<Buffer> {
  const frame = await peer.next();
  assert.ok(frame, 'the connection ended before the frame');
  return Buffer.from(frame);
}

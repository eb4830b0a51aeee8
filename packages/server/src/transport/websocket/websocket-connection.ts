import type { Duplex } from 'node:stream';
import { disconnects, type Codec, type DisconnectKind } from '@tutti/protocol';
import type { WebSocket } from 'ws';
import type { Clock } from '../../core/clock.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import { Marks } from '../marks.ts';
import type { ClosedReason, Connection, ConnectionHandler, OutboundFrame } from '../transport.ts';
import { closeReason, pingFrame, webSocketFrame } from './frame.ts';

/** What is known of a peer when it opens a connection. */
export interface PeerFacts {
  readonly remoteAddress: string;
  readonly headers: Connection['headers'] | undefined;
}

/** What a connection needs of its transport; one object for all of them. */
export interface ConnectionOwner {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  /** The connection has begun to end: it is to be terminated unless it is gone in time. */
  ending(connection: WebSocketConnection): void;
  ended(connection: WebSocketConnection): void;
}

const open = 1; // WebSocket.OPEN
/**
 * Control frames that nobody asked for, at once, and how long one is counted (S15: 2 a second in the
 * long run). Below the pongs that ws lets wait, so that the peer is told before ws cuts it off.
 */
const controlFramesMax = 10;
const controlSpanMs = 500;
/** Bytes of one connection that are acted on before others have their turn: a chunk may hold thousands of frames. */
const turnBytes = 16 * 1024;
/** Frames of a peer that goes on although it was told the end; more, and it is not read any more. */
const framesAfterEndMax = 64;
/** For the Close frame to arrive, where a peer is cut off that does not heed it. */
const lingerMs = 500;

/** How ws names what a peer did wrong, and the close code it sends for it. */
const violationCodes: Readonly<Record<string, number>> = {
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1009,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 1009,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 1008,
  WS_ERR_INVALID_UTF8: 1007,
};

const connectionOf = Symbol('connection');
interface Tagged {
  [connectionOf]?: WebSocketConnection;
}

/**
 * One WebSocket. Reading, pongs and the closing handshake are ws's; frames are written past it, straight
 * to the socket, as bytes that many connections share. That is safe because compression is off: ws then
 * writes each of its own frames in one synchronous piece, and nothing can fall between.
 *
 * Listeners are shared by all connections and find theirs by a symbol on the emitter: no closures.
 */
export class WebSocketConnection implements Connection {
  readonly codec: Codec;
  readonly remoteAddress: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  readonly #owner: ConnectionOwner;
  /** How ws takes bytes in. */
  readonly #feed: (this: Duplex, chunk: Buffer) => void;
  #handler: ConnectionHandler | undefined;
  /** Set once we began to end it. */
  #reason: ClosedReason | undefined;
  readonly #marks = new Marks();
  #controlFrames = 0;
  #controlSinceMs = 0;
  #heldUntilMs = 0;
  #isHeld = false;
  #framesAfterEnd = 0;
  /** Nothing is read any more. */
  #isDeaf = false;
  #framesReceived = 0;
  #framesAtSweep = -1;

  constructor(
    ws: WebSocket,
    socket: Duplex,
    codec: Codec,
    { remoteAddress, headers }: PeerFacts,
    owner: ConnectionOwner,
  ) {
    this.#ws = ws;
    this.#socket = socket;
    this.#owner = owner;
    this.codec = codec;
    this.remoteAddress = remoteAddress;
    if (headers !== undefined) this.headers = headers;
    (ws as Tagged)[connectionOf] = this;
    (socket as Tagged)[connectionOf] = this;
    ws.on('message', onMessage);
    ws.on('ping', onPing);
    ws.on('pong', onPong);
    ws.on('error', onError);
    ws.on('close', onClose);
    socket.on('end', onEnd);
    // Ours stands before ws's own, which it calls a slice at a time.
    const [feed] = socket.listeners('data') as ((this: Duplex, chunk: Buffer) => void)[];
    this.#feed = feed!;
    socket.on('data', onData).off('data', this.#feed);
  }

  get transport(): string {
    return 'websocket';
  }

  get inFlight(): number {
    return Math.max(this.#marks.unconfirmed, this.#socket.writableLength);
  }

  /** Called once, before any byte is read. */
  begin(handler: ConnectionHandler): void {
    this.#handler = handler;
  }

  send(frames: readonly OutboundFrame[]): void {
    const socket = this.#socket;
    if (this.#reason !== undefined || this.#ws.readyState !== open || socket.writableEnded || socket.destroyed) return;
    this.#owner.telemetry.count('frames_sent', frames.length);
    // Corked, the frames leave in one vectored write; a single one needs no cork.
    if (frames.length > 1) socket.cork();
    for (const frame of frames) {
      const wire = (frame.wire ??= webSocketFrame(frame));
      this.#marks.sent(wire.length);
      socket.write(wire);
    }
    if (frames.length > 1) socket.uncork();
  }

  /**
   * A ping behind what was sent: a conforming peer answers in order, and only after it has read what
   * came before (RFC 6455 section 5.5.2). The kernel's own word would not do: its send buffer is
   * megabytes deep, and the peer's receive buffer, too.
   */
  mark(): void {
    const socket = this.#socket;
    if (this.#reason !== undefined || this.#ws.readyState !== open || socket.writableEnded || socket.destroyed) return;
    socket.write(pingFrame(this.#marks.add(this.#owner.clock.monotonic())));
  }

  /** A peer that fell behind may answer only the newest ping: each answer is one to all before it. */
  ponged(payload: Buffer): void {
    const mark = payload.length === 4 ? this.#marks.take(payload.readUInt32BE()) : undefined;
    if (mark === undefined) {
      // Allowed as a sign of life (RFC 6455 section 5.5.3), at the pace of one.
      this.#controlFrame('too many pong frames that nobody asked for');
      return;
    }
    try {
      this.#handler?.confirmed(this.#owner.clock.monotonic() - mark.sentAtMs, mark.aheadBytes);
    } catch (error) {
      this.#bug(error, 'confirmed');
    }
  }

  hold(ms: number): void {
    if (this.#reason !== undefined || this.#ws.readyState !== open) return;
    this.#heldUntilMs = Math.max(this.#heldUntilMs, this.#owner.clock.monotonic() + ms);
    if (this.#isHeld) return;
    this.#isHeld = true;
    this.#ws.pause();
    this.#releaseIn(ms);
  }

  close(kind: DisconnectKind, detail?: string): void {
    if (this.#reason !== undefined) return;
    // The peer's own Close frame is to be read.
    this.#release();
    const reason = closeReason(detail ?? kind.reason);
    this.#reason = { code: kind.code, reason: reason.toString(), byPeer: false };
    this.#ws.close(kind.code, reason);
    this.#owner.ending(this);
  }

  terminate(): void {
    this.#reason ??= { code: 1006, reason: 'terminated', byPeer: false };
    this.#ws.terminate();
  }

  /**
   * True where the peer began a message and sent no whole one since the last sweep: it holds memory
   * without using it (S14). Looks into ws's receiver, which has no public word for this.
   */
  sweepUnfinished(): boolean {
    const { _receiver: receiver } = this.#ws as unknown as {
      _receiver: { _bufferedBytes: number; _fragmented: number };
    };
    const isUnfinished = !this.#isHeld && (receiver._bufferedBytes > 0 || receiver._fragmented !== 0);
    const isStuck = isUnfinished && this.#framesAtSweep === this.#framesReceived;
    this.#framesAtSweep = isUnfinished ? this.#framesReceived : -1;
    return isStuck;
  }

  /** Bytes from the peer. What is more than a turn's worth waits for the next one (S21, BP-5). */
  read(chunk: Buffer): void {
    if (this.#isDeaf) return;
    if (chunk.length <= turnBytes) {
      this.#feed.call(this.#socket, chunk);
      return;
    }
    // In this order: a stream that flows would hand the rest out again at once.
    this.#ws.pause();
    this.#socket.unshift(chunk.subarray(turnBytes));
    this.#feed.call(this.#socket, chunk.subarray(0, turnBytes));
    this.#owner.clock.soon(() => {
      if (!this.#isHeld && !this.#isDeaf) this.#ws.resume();
    });
  }

  receive(data: Buffer, isBinary: boolean): void {
    if (this.#reason !== undefined) {
      this.#unheeded();
      return;
    }
    this.#framesReceived = (this.#framesReceived + 1) | 0;
    if (isBinary !== this.codec.binary) {
      this.#debug(`a ${isBinary ? 'binary' : 'text'} frame on a ${this.codec.name} connection`);
      this.close(disconnects.badRequest);
      return;
    }
    try {
      this.#handler?.receive(data);
    } catch (error) {
      this.#bug(error, 'receive');
    }
  }

  /** ws has answered it already; at most 16 answers wait unsent, beyond that it terminates by itself (S15). */
  pinged(): void {
    if (this.#ws.readyState !== open) this.#reason ??= { code: 1008, reason: 'pongs are not read', byPeer: false };
    this.#controlFrame('too many ping frames');
  }

  /** ws has sent the close code that fits, and waits for the peer to follow. */
  violated(error: Error & { code?: string }): void {
    this.#reason ??= { code: violationCodes[error.code ?? ''] ?? 1002, reason: error.message, byPeer: false };
    this.#debug(error.message);
    this.#owner.ending(this);
    this.#cutOff();
  }

  /** The peer will send nothing more. What waits for it may still leave, within the time of a closing handshake. */
  halfClosed(): void {
    this.#owner.ending(this);
  }

  closed(code: number, reason: Buffer): void {
    this.#owner.ended(this);
    const handler = this.#handler;
    this.#handler = undefined;
    this.#reason ??= { code, reason: reason.toString(), byPeer: true };
    try {
      handler?.closed(this.#reason);
    } catch (error) {
      this.#bug(error, 'closed');
    }
  }

  #controlFrame(tooMany: string): void {
    if (this.#reason !== undefined) {
      this.#unheeded();
      return;
    }
    const nowMs = this.#owner.clock.monotonic();
    const paidOff = Math.floor((nowMs - this.#controlSinceMs) / controlSpanMs);
    this.#controlFrames = Math.max(0, this.#controlFrames - paidOff) + 1;
    if (paidOff > 0) this.#controlSinceMs = nowMs;
    if (this.#controlFrames > controlFramesMax) this.close(disconnects.tooManyRequests, tooMany);
  }

  /** What comes after the end is worth nothing, and a flood of it still costs the time of others. */
  #unheeded(): void {
    this.#framesAfterEnd += 1;
    if (this.#framesAfterEnd === framesAfterEndMax) this.#cutOff();
  }

  /**
   * Reads no more, and terminates once the Close frame had time to arrive. To read and drop would not do:
   * a peer sends as fast as we read, and each read costs memory that must be collected.
   */
  #cutOff(): void {
    if (this.#isDeaf) return;
    this.#isDeaf = true;
    // Later, because after a violation ws lets the socket flow once more.
    this.#owner.clock.soon(() => {
      this.#socket.pause();
    });
    this.#owner.clock.after(lingerMs, () => {
      this.#ws.terminate();
    });
  }

  #releaseIn(ms: number): void {
    this.#owner.clock.after(ms, () => {
      const leftMs = this.#heldUntilMs - this.#owner.clock.monotonic();
      if (leftMs > 0) this.#releaseIn(Math.max(1, leftMs));
      else this.#release();
    });
  }

  #release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#ws.resume();
  }

  /** A handler never throws; where one does, its connection ends and the others go on (S23). */
  #bug(error: unknown, method: string): void {
    this.#owner.telemetry.count('bugs');
    this.#owner.telemetry.log.error({ error, method, transport: this.transport }, 'a connection handler threw');
    this.close(disconnects.internal);
  }

  #debug(problem: string): void {
    this.#owner.telemetry.log.debug({ problem, remoteAddress: this.remoteAddress }, 'peer broke the protocol');
  }
}

function onMessage(this: WebSocket, data: unknown, isBinary: boolean): void {
  // Of the shapes ws can deliver, the binaryType 'nodebuffer' is the default and stays.
  (this as Tagged)[connectionOf]?.receive(data as Buffer, isBinary);
}

function onPing(this: WebSocket): void {
  (this as Tagged)[connectionOf]?.pinged();
}

function onPong(this: WebSocket, payload: Buffer): void {
  (this as Tagged)[connectionOf]?.ponged(payload);
}

function onError(this: WebSocket, error: Error): void {
  (this as Tagged)[connectionOf]?.violated(error);
}

function onClose(this: WebSocket, code: number, reason: Buffer): void {
  (this as Tagged)[connectionOf]?.closed(code, reason);
}

function onData(this: Duplex, chunk: Buffer): void {
  (this as Tagged)[connectionOf]?.read(chunk);
}

function onEnd(this: Duplex): void {
  (this as Tagged)[connectionOf]?.halfClosed();
}

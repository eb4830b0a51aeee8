import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { encodeFrame, FrameParser, opcodes } from '@tutti/bench/load/frame-parser';
import type { Command, Publication, Push, Reply } from '@tutti/protocol';

/** As a frame of JSON says them: payloads are values here. */
export type JsonPush = Omit<Push, 'pub'> & { readonly pub?: Publication<unknown> };
export type JsonReply = Omit<Reply, 'push'> & { readonly push?: JsonPush };
/** A command whose payloads are values. */
export type JsonCommand = { readonly [Method in keyof Command]?: object };

export interface RawPeerOptions {
  readonly port: number;
  readonly token: string;
  /** It reads no faster; 0: not at all. Default: as fast as it can. */
  readonly bytesPerSecond?: number;
  readonly onPush?: (push: JsonPush) => void;
}

const sliceMs = 10;
const readBytesMax = 64 * 1024;
const key = randomBytes(16).toString('base64');

/**
 * A WebSocket client of its own making, which reads as slowly as it is told: not by taking data and
 * then waiting, but by leaving it in the kernel, slice by slice, so that its receive window closes as
 * that of a slow phone does. It answers pings, of both kinds, when it has read them.
 */
export class RawPeer {
  bytesPerSecond: number;
  /** Bytes read since it was opened. */
  bytesRead = 0;
  /** Why the connection ended, once it has. */
  ended: string | undefined;
  readonly #socket: Socket;
  readonly #onPush: (push: JsonPush) => void;
  readonly #replies = new Map<number, (reply: JsonReply) => void>();
  readonly #parser = new FrameParser((opcode, payload) => {
    this.#frame(opcode, payload);
  });
  readonly #opened: Promise<void>;
  #settleOpened: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #head: Buffer | undefined = Buffer.alloc(0);
  #lastId = 0;
  #allowance = 0;
  #allowedAtMs = performance.now();
  readonly #timer: NodeJS.Timeout;

  private constructor({ port, bytesPerSecond = Infinity, onPush = () => undefined }: RawPeerOptions) {
    this.bytesPerSecond = Infinity;
    this.#onPush = onPush;
    this.#opened = new Promise((resolve, reject) => (this.#settleOpened = { resolve, reject }));
    const buffer = Buffer.allocUnsafeSlow(readBytesMax);
    // A read takes no more than is allowed now, whatever the kernel holds.
    const onread = {
      buffer: () => buffer.subarray(0, Math.max(1, Math.min(readBytesMax, this.#sliceBytes))),
      callback: (length: number) => this.#read(buffer.subarray(0, length)),
    };
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true, onread });
    this.#socket.on('error', (error) => this.#end(error.message));
    this.#socket.on('close', () => this.#end('closed by the peer'));
    this.#socket.write(
      `GET /connection/websocket HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
    this.bytesPerSecond = bytesPerSecond;
    this.#timer = setInterval(() => {
      this.#allow();
      if (this.#allowance > 0) this.#socket.resume();
    }, sliceMs);
  }

  /** Resolves once it is connected with the token. */
  static async open(options: RawPeerOptions): Promise<RawPeer> {
    const peer = new RawPeer(options);
    try {
      await peer.#opened;
      await peer.command({ connect: { token: options.token } });
      return peer;
    } catch (error) {
      peer.close();
      throw error;
    }
  }

  /** Where this end of the connection is, as /proc/net/tcp lists it. */
  get localPort(): number {
    return this.#socket.localPort ?? 0;
  }

  /** Rejects where the answer is an error, or none comes. */
  command(command: JsonCommand): Promise<JsonReply> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      if (this.ended !== undefined) {
        reject(new Error(this.ended));
        return;
      }
      this.#replies.set(id, (reply) => {
        if (reply.error === undefined) resolve(reply);
        else reject(new Error(`answered ${reply.error.code} ${reply.error.message}`));
      });
      this.#send(JSON.stringify({ id, ...command }));
    });
  }

  close(): void {
    clearInterval(this.#timer);
    this.#end('closed here');
    this.#socket.destroy();
  }

  get #sliceBytes(): number {
    return Math.floor(this.#allowance);
  }

  #allow(): void {
    const now = performance.now();
    const earned = ((now - this.#allowedAtMs) / 1_000) * this.bytesPerSecond;
    this.#allowedAtMs = now;
    // What is not used is lost: a quiet time does not buy a burst.
    this.#allowance = Number.isNaN(earned) ? 0 : Math.min(this.#allowance + earned, Math.max(1, 3 * earned));
  }

  /** False: no more until the next slice. */
  #read(chunk: Buffer): boolean {
    this.bytesRead += chunk.length;
    this.#allowance -= chunk.length;
    try {
      this.#parser.push(this.#head === undefined ? chunk : this.#readHead(Buffer.concat([this.#head, chunk])));
    } catch (error) {
      this.#end(error instanceof Error ? error.message : String(error));
      this.#socket.destroy();
    }
    return this.bytesPerSecond > 0 && this.#allowance >= 1;
  }

  /** Returns what follows the answer to the handshake. */
  #readHead(bytes: Buffer): Buffer {
    this.#head = bytes;
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) return Buffer.alloc(0);
    const head = bytes.toString('latin1', 0, end);
    if (!head.startsWith('HTTP/1.1 101 ')) throw new Error(`refused: ${head.split('\r\n', 1)[0] ?? ''}`);
    this.#head = undefined;
    this.#settleOpened?.resolve();
    return bytes.subarray(end + 4);
  }

  #frame(opcode: number, payload: Buffer): void {
    if (opcode === opcodes.ping) this.#socket.write(encodeFrame(opcodes.pong, payload, true));
    else if (opcode === opcodes.close) {
      this.#end(`closed with ${payload.length >= 2 ? payload.readUInt16BE(0) : 1005}`);
      this.#socket.end();
    } else {
      for (const line of payload.toString().split('\n')) if (line !== '') this.#reply(JSON.parse(line) as JsonReply);
    }
  }

  #reply(reply: JsonReply): void {
    if (reply.push !== undefined) this.#onPush(reply.push);
    else if (reply.id === undefined) this.#send('{}');
    else {
      this.#replies.get(reply.id)?.(reply);
      this.#replies.delete(reply.id);
    }
  }

  #send(text: string): void {
    this.#socket.write(encodeFrame(opcodes.text, Buffer.from(text), true));
  }

  #end(why: string): void {
    if (this.ended !== undefined) return;
    this.ended = why;
    clearInterval(this.#timer);
    this.#settleOpened?.reject(new Error(why));
    for (const answer of this.#replies.values()) answer({ error: { code: 0, message: why } });
    this.#replies.clear();
  }
}

import { connect, type Socket } from 'node:net';
import type { Command, Publication, Push, Reply } from '@tutti/protocol';
import { WebSocketWire, type RawWire, type WireOwner } from './raw-wire.ts';
import { StreamWire, type StreamName } from './stream-wire.ts';

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
  /** Default: WebSocket. */
  readonly transport?: 'websocket' | StreamName;
  /** What `uni_sse` reads: it says so with its address, and sends nothing. */
  readonly channel?: string;
}

const sliceMs = 10;
const readBytesMax = 64 * 1024;

/**
 * A client of its own making, on a WebSocket or a stream, which reads as slowly as it is told: not by taking data and
 * then waiting, but by leaving it in the kernel, slice by slice, so that its receive window closes as
 * that of a slow phone does. It answers pings, of both kinds, when it has read them.
 */
export class RawPeer implements WireOwner {
  bytesPerSecond: number;
  /** Bytes read since it was opened. */
  bytesRead = 0;
  /** Why the connection ended, once it has. */
  ended: string | undefined;
  readonly #socket: Socket;
  readonly #onPush: (push: JsonPush) => void;
  readonly #replies = new Map<number, (reply: JsonReply) => void>();
  readonly #wire: RawWire;
  readonly #opened: Promise<void>;
  #settleOpened: { resolve: () => void; reject: (error: Error) => void } | undefined;
  #lastId = 0;
  #allowance = 0;
  #allowedAtMs = performance.now();
  readonly #timer: NodeJS.Timeout;

  private constructor(options: RawPeerOptions) {
    const { port, token, channel = '', transport = 'websocket', bytesPerSecond = Infinity } = options;
    this.bytesPerSecond = Infinity;
    this.#onPush = options.onPush ?? (() => undefined);
    const query = new URLSearchParams({ channels: channel, token }).toString();
    this.#wire = transport === 'websocket' ? new WebSocketWire(this) : new StreamWire(this, transport, port, query);
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
    this.#socket.on('connect', () => this.#wire.begin());
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
      if (options.transport !== 'uni_sse') await peer.command({ connect: { token: options.token } });
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
      this.#wire.send(JSON.stringify({ id, ...command }));
    });
  }

  // What the wire calls.

  write(bytes: string | Buffer): void {
    this.#socket.write(bytes);
  }

  frame(text: string): void {
    for (const line of text.split('\n')) if (line !== '') this.#reply(JSON.parse(line) as JsonReply);
  }

  opened(): void {
    this.#settleOpened?.resolve();
  }

  over(why: string): void {
    this.#end(why);
    this.#socket.end();
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
      this.#wire.read(chunk);
    } catch (error) {
      this.#end(error instanceof Error ? error.message : String(error));
      this.#socket.destroy();
    }
    return this.bytesPerSecond > 0 && this.#allowance >= 1;
  }

  #reply(reply: JsonReply): void {
    if (reply.push !== undefined) this.#onPush(reply.push);
    else if (reply.id === undefined) this.#wire.send('{}');
    else {
      this.#replies.get(reply.id)?.(reply);
      this.#replies.delete(reply.id);
    }
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

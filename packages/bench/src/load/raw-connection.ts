import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { encodeFrame, FrameParser, opcodes } from './frame-parser.ts';
import { sourceAddress } from './source-address.ts';

/** One for all connections of a process. `payload` lives until the call returns. */
export interface RawHandler {
  opened(connection: RawConnection): void;
  received(connection: RawConnection, payload: Buffer): void;
  /** Once, also where it never opened. */
  closed(connection: RawConnection, why: string): void;
}

export interface Address {
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

// Read synchronously and at once, so that one buffer serves all sockets of the process.
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024);
// Only the server could be fooled by a key that repeats, and it is ours.
const key = randomBytes(16).toString('base64');
const headBytesMax = 8 * 1024;
const nothing = Buffer.alloc(0);

/** A WebSocket client of a few hundred bytes: thousands of them must not weigh on what is measured. */
export class RawConnection {
  readonly index: number;
  /** Free for the handler. */
  state = 'opening';
  readonly #handler: RawHandler;
  readonly #socket: Socket;
  readonly #parser: FrameParser;
  #head: string | undefined = '';
  #why = 'closed by the peer';

  constructor(index: number, { host, port, path }: Address, handler: RawHandler) {
    this.index = index;
    this.#handler = handler;
    this.#parser = new FrameParser((opcode, payload) => this.#frame(opcode, payload));
    const onread = { buffer: readBuffer, callback: (length: number) => this.#read(readBuffer.subarray(0, length)) };
    const localAddress = sourceAddress(index);
    const from = localAddress === undefined ? {} : { localAddress };
    this.#socket = connect({ host, port, noDelay: true, onread, ...from });
    this.#socket.once('error', (error) => (this.#why = error.message));
    this.#socket.once('close', () => handler.closed(this, this.#why));
    this.#socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
  }

  send(text: string): void {
    this.#socket.write(encodeFrame(opcodes.text, Buffer.from(text), true));
  }

  /** What is sent before `uncork` leaves in one write. */
  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  destroy(): void {
    this.#why = 'closed here';
    this.#socket.destroy();
  }

  /** As a network does that drops a connection for good: RST, no closing handshake. */
  reset(): void {
    this.#why = 'reset here';
    this.#socket.resetAndDestroy();
  }

  /** Always true: read on. */
  #read(chunk: Buffer): boolean {
    try {
      this.#parser.push(this.#head === undefined ? chunk : this.#readHead(chunk, this.#head));
    } catch (error) {
      this.#fail(error instanceof Error ? error.message : String(error));
    }
    return true;
  }

  /** Returns what followed the answer to the handshake. */
  #readHead(chunk: Buffer, before: string): Buffer {
    // One byte is one character: positions in the text are positions in the bytes.
    const head = before + chunk.toString('latin1');
    const end = head.indexOf('\r\n\r\n');
    if (end === -1) {
      if (head.length > headBytesMax) throw new Error('the answer to the handshake does not end');
      this.#head = head;
      return nothing;
    }
    if (!head.startsWith('HTTP/1.1 101 ')) throw new Error(`refused: ${head.slice(0, head.indexOf('\r\n'))}`);
    this.#head = undefined;
    this.#handler.opened(this);
    return chunk.subarray(end + 4 - before.length);
  }

  #frame(opcode: number, payload: Buffer): void {
    if (opcode === opcodes.text || opcode === opcodes.binary) this.#handler.received(this, payload);
    else if (opcode === opcodes.ping) this.#socket.write(encodeFrame(opcodes.pong, payload, true));
    else if (opcode === opcodes.close) {
      const code = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
      this.#fail(`closed by the server with ${code} ${payload.subarray(2).toString()}`);
    }
  }

  #fail(why: string): void {
    this.#why = why;
    this.#socket.destroy();
  }
}

import { randomBytes } from 'node:crypto';
import { encodeFrame, FrameParser, opcodes } from '@tutti/bench/load/frame-parser';

/** What a peer is to a wire. */
export interface WireOwner {
  /** On the connection that it reads. */
  write(bytes: string | Buffer): void;
  /** JSON that the node sent: one or more lines. */
  frame(text: string): void;
  /** Commands may be sent. */
  opened(): void;
  over(why: string): void;
}

/** How frames travel, from the side of a client. */
export interface RawWire {
  /** The connection is up. */
  begin(): void;
  /** What was read of it. Throws where it cannot be read further. */
  read(chunk: Buffer): void;
  send(text: string): void;
}

const key = randomBytes(16).toString('base64');

/** Cuts the head of an HTTP response from what follows it. */
export class ResponseHead {
  #bytes: Buffer | undefined = Buffer.alloc(0);
  readonly #status: string;

  constructor(status: string) {
    this.#status = status;
  }

  /** What follows the head; undefined while it is not complete. Throws where the status is another. */
  rest(chunk: Buffer): Buffer | undefined {
    if (this.#bytes === undefined) return chunk;
    const bytes = Buffer.concat([this.#bytes, chunk]);
    const end = bytes.indexOf('\r\n\r\n');
    this.#bytes = end < 0 ? bytes : undefined;
    if (end < 0) return undefined;
    const [line = ''] = bytes.toString('latin1', 0, end).split('\r\n', 1);
    if (!line.startsWith(`HTTP/1.1 ${this.#status} `)) throw new Error(`refused: ${line}`);
    return bytes.subarray(end + 4);
  }
}

/** A WebSocket; pings are answered when they have been read. */
export class WebSocketWire implements RawWire {
  readonly #owner: WireOwner;
  readonly #head = new ResponseHead('101');
  #isOpen = false;
  readonly #parser = new FrameParser((opcode, payload) => {
    this.#frame(opcode, payload);
  });

  constructor(owner: WireOwner) {
    this.#owner = owner;
  }

  begin(): void {
    this.#owner.write(
      'GET /connection/websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    );
  }

  read(chunk: Buffer): void {
    const rest = this.#head.rest(chunk);
    if (rest === undefined) return;
    if (!this.#isOpen) this.#owner.opened();
    this.#isOpen = true;
    this.#parser.push(rest);
  }

  send(text: string): void {
    this.#owner.write(encodeFrame(opcodes.text, Buffer.from(text), true));
  }

  #frame(opcode: number, payload: Buffer): void {
    if (opcode === opcodes.ping) this.#owner.write(encodeFrame(opcodes.pong, payload, true));
    else if (opcode === opcodes.close)
      this.#owner.over(`closed with ${payload.length >= 2 ? payload.readUInt16BE(0) : 1005}`);
    else this.#owner.frame(payload.toString());
  }
}

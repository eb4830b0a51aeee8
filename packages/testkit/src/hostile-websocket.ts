import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { resetSocket } from './reset-socket.ts';

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface RawFrame {
  readonly opcode: number;
  readonly payload?: Uint8Array | string;
  /** Default true. */
  readonly fin?: boolean;
  /** Default true, as a client must; `false` breaks the rule. */
  readonly masked?: boolean;
  /** Bits RSV1 to RSV3, as 4, 2, 1. */
  readonly rsv?: number;
  /** Length announced in place of the true one. */
  readonly announcedLength?: number | bigint;
  /** Form of the length, where it should not be the shortest. */
  readonly lengthForm?: 7 | 16 | 64;
}

/** Bytes of one client frame, right or wrong as asked for (RFC 6455 section 5.2). */
export function rawFrame(frame: RawFrame): Buffer {
  const payload = Buffer.from(frame.payload ?? '');
  const length = BigInt(frame.announcedLength ?? payload.length);
  const form = frame.lengthForm ?? (length < 126n ? 7 : length < 65_536n ? 16 : 64);
  const first = (frame.fin === false ? 0 : 0x80) | ((frame.rsv ?? 0) << 4) | frame.opcode;
  const maskBit = frame.masked === false ? 0 : 0x80;
  const header = [Buffer.from([first, maskBit | (form === 7 ? Number(length) : form === 16 ? 126 : 127)])];
  if (form !== 7) {
    const extended = Buffer.alloc(8);
    extended.writeBigUInt64BE(length);
    header.push(extended.subarray(form === 16 ? 6 : 0));
  }
  if (maskBit === 0) return Buffer.concat([...header, payload]);
  const mask = randomBytes(4);
  const masked = payload.map((byte, i) => byte ^ (mask[i & 3] ?? 0));
  return Buffer.concat([...header, mask, masked]);
}

/** A Close frame's payload. */
export function closePayload(code: number, reason = ''): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code);
  payload.write(reason, 2);
  return payload;
}

export interface UpgradeRequestOptions {
  readonly path?: string;
  readonly method?: string;
  readonly host?: string;
  /** A value `null` leaves a usual header out; a list sends it several times. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | null>>;
}

export interface OpenOptions extends UpgradeRequestOptions {
  /** Whatever certificate the server has is believed. */
  readonly overTls?: boolean;
}

/** Text of a request to upgrade: a valid one, but for what is asked for. */
export function upgradeRequest(options: UpgradeRequestOptions = {}): string {
  const headers: Record<string, string | readonly string[] | null> = {
    Host: options.host ?? 'localhost',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    ...options.headers,
  };
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === null ? [] : [value].flat().map((one) => `${name}: ${one}\r\n`),
  );
  return `${options.method ?? 'GET'} ${options.path ?? '/connection/websocket'} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

export interface RawAnswer {
  readonly status: number;
  /** Head and body as they came. */
  readonly text: string;
  /** The other side ended or cut the connection. */
  readonly ended: boolean;
}

/**
 * Sends bytes to an HTTP port and collects what comes back until the other side ends, or until a
 * status 101 has come (then `ended` is false, and the socket is destroyed).
 */
export async function rawExchange(port: number, request: string | Buffer, host = '127.0.0.1'): Promise<RawAnswer> {
  const socket = connect(port, host);
  let text = '';
  let ended = false;
  await new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (text.startsWith('HTTP/1.1 101') && text.includes('\r\n\r\n')) resolve();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      ended = true;
      resolve();
    });
    socket.write(request);
  });
  socket.destroy();
  return { status: Number(/^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1] ?? 0), text, ended };
}

export interface ServerFrame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly payload: Buffer;
}

/**
 * A WebSocket client that keeps no rule unless told: for conformance suites and proofs. It answers
 * neither pings nor Close frames by itself (unless `answersPings`), and shows every frame as it came.
 */
export class HostileWebSocket {
  readonly socket: Socket;
  /** What the bytes go over; the same where there is no TLS. */
  readonly #wire: Socket;
  /** Head of the answer to the request to upgrade. */
  readonly head: string;
  /** Answers pings as they are read, and shows them no more; the server's marks are such. */
  answersPings = false;
  #buffered: Buffer;
  readonly #frames: ServerFrame[] = [];
  readonly #waiting: ((frame: ServerFrame | undefined) => void)[] = [];
  #isEnded = false;

  private constructor(socket: Socket, wire: Socket, head: string, rest: Buffer) {
    this.socket = socket;
    this.#wire = wire;
    this.head = head;
    this.#buffered = rest;
    this.#parse();
    socket.on('data', (chunk: Buffer) => {
      this.#buffered = this.#buffered.length === 0 ? chunk : Buffer.concat([this.#buffered, chunk]);
      this.#parse();
    });
    socket.on('close', () => {
      this.#isEnded = true;
      for (const resolve of this.#waiting.splice(0)) resolve(undefined);
    });
  }

  /** Rejects with the answer's head where it is not status 101. */
  static async open(port: number, options: OpenOptions = {}): Promise<HostileWebSocket> {
    const wire = connect(port, '127.0.0.1');
    wire.on('error', () => {});
    wire.setNoDelay();
    const socket = options.overTls === true ? connectTls({ socket: wire, rejectUnauthorized: false }) : wire;
    socket.on('error', () => {});
    const request = upgradeRequest(options);
    socket.write(request);
    const { head, rest } = await readHead(socket);
    const key = /Sec-WebSocket-Key: (.*)\r\n/.exec(request)?.[1] ?? '';
    const expected = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    if (!head.startsWith('HTTP/1.1 101 ') || !head.includes(`Sec-WebSocket-Accept: ${expected}\r\n`)) {
      socket.destroy();
      throw new Error(`not upgraded: ${head}`);
    }
    return new HostileWebSocket(socket, wire, head, rest);
  }

  /** The next frame; undefined once the connection has ended and all frames were read. */
  next(): Promise<ServerFrame | undefined> {
    const frame = this.#frames.shift();
    if (frame !== undefined || this.#isEnded) return Promise.resolve(frame);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Reads on to the Close frame; undefined where the connection ends without one. */
  async closeFrame(): Promise<{ code: number; reason: string } | undefined> {
    for (let frame = await this.next(); frame !== undefined; frame = await this.next()) {
      if (frame.opcode !== opcodes.close) continue;
      if (frame.payload.length < 2) return { code: 1005, reason: '' };
      return { code: frame.payload.readUInt16BE(0), reason: frame.payload.subarray(2).toString() };
    }
    return undefined;
  }

  send(frame: RawFrame): void {
    this.socket.write(rawFrame(frame));
  }

  /** Anything at all. */
  write(bytes: Uint8Array | string): void {
    this.socket.write(bytes);
  }

  /** Stops reading: the kernel's buffers fill, then the other side's. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Cuts the connection with a reset. */
  reset(): void {
    resetSocket(this.#wire);
  }

  destroy(): void {
    this.socket.destroy();
  }

  async ended(): Promise<void> {
    if (!this.#isEnded) await once(this.socket, 'close');
  }

  #parse(): void {
    for (let parsed = parseFrame(this.#buffered); parsed !== undefined; parsed = parseFrame(this.#buffered)) {
      this.#buffered = this.#buffered.subarray(parsed.length);
      if (this.answersPings && parsed.frame.opcode === opcodes.ping) {
        this.send({ opcode: opcodes.pong, payload: parsed.frame.payload });
        continue;
      }
      const resolve = this.#waiting.shift();
      if (resolve === undefined) this.#frames.push(parsed.frame);
      else resolve(parsed.frame);
    }
  }
}

function readHead(socket: Socket): Promise<{ head: string; rest: Buffer }> {
  return new Promise((resolve, reject) => {
    let bytes: Buffer = Buffer.alloc(0);
    const done = (): void => {
      socket.off('data', read).off('close', fail);
    };
    const read = (chunk: Buffer): void => {
      bytes = Buffer.concat([bytes, chunk]);
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) return;
      done();
      resolve({ head: bytes.toString('latin1', 0, end + 4), rest: bytes.subarray(end + 4) });
    };
    const fail = (): void => {
      done();
      reject(new Error(`the connection ended before an answer; got: ${bytes.toString('latin1')}`));
    };
    socket.on('data', read).on('close', fail);
  });
}

function parseFrame(bytes: Buffer): { frame: ServerFrame; length: number } | undefined {
  if (bytes.length < 2) return undefined;
  const first = bytes[0] ?? 0;
  const second = bytes[1] ?? 0;
  if ((second & 0x80) !== 0) throw new Error('the server masked a frame');
  const short = second & 0x7f;
  const start = short < 126 ? 2 : short === 126 ? 4 : 10;
  if (bytes.length < start) return undefined;
  const size = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (bytes.length < start + size) return undefined;
  const payload = Buffer.from(bytes.subarray(start, start + size));
  return { frame: { opcode: first & 0x0f, fin: (first & 0x80) !== 0, payload }, length: start + size };
}

export const opcodes = { text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Called for each whole frame. `payload` is a view of a buffer that is read into again: copy what is to stay. */
export type OnFrame = (opcode: number, payload: Buffer) => void;

/** Far above what a measured server sends; a length beyond it means that the parser lost its place. */
const payloadBytesMax = 64 * 1024 * 1024;

/**
 * WebSocket frames out of a byte stream (RFC 6455 section 5.2), masked ones too. Keeps bytes of its
 * own only while a frame is incomplete. Servers measured here send no fragments, so one is an error.
 */
export class FrameParser {
  readonly #onFrame: OnFrame;
  #rest: Buffer | undefined;

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame;
  }

  /** Throws a RangeError for what this parser does not read; the stream cannot be read further then. */
  push(chunk: Buffer): void {
    const bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = undefined;
    let at = 0;
    while (at < bytes.length) {
      const end = this.#readFrame(bytes, at);
      if (end === undefined) break;
      at = end;
    }
    // A copy: the chunk belongs to the next read.
    if (at < bytes.length) this.#rest = Buffer.from(bytes.subarray(at));
  }

  /** Where the frame at `start` ends; undefined where it is not complete. */
  #readFrame(bytes: Buffer, start: number): number | undefined {
    if (bytes.length < start + 2) return undefined;
    const first = bytes[start]!;
    const second = bytes[start + 1]!;
    const opcode = first & 0x0f;
    if ((first & 0xf0) !== 0x80 || opcode === 0) throw new RangeError('a fragmented or compressed frame');
    const short = second & 0x7f;
    const lengthBytes = short < 126 ? 0 : short === 126 ? 2 : 8;
    const maskBytes = (second & 0x80) === 0 ? 0 : 4;
    const begin = start + 2 + lengthBytes + maskBytes;
    if (bytes.length < begin) return undefined;
    const length = lengthBytes === 0 ? short : readLength(bytes, start + 2, lengthBytes);
    if (bytes.length < begin + length) return undefined;
    const payload = bytes.subarray(begin, begin + length);
    if (maskBytes > 0) applyMask(payload, bytes.subarray(begin - 4, begin));
    this.#onFrame(opcode, payload);
    return begin + length;
  }
}

/** A whole frame as a server sends it; with `masked`, as a client must. The mask is zero: nobody between to fool. */
export function encodeFrame(opcode: number, payload: Buffer, masked: boolean): Buffer {
  const { length } = payload;
  const lengthBytes = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const frame = Buffer.alloc(2 + lengthBytes + (masked ? 4 : 0) + length);
  frame[0] = 0x80 | opcode;
  frame[1] = (masked ? 0x80 : 0) | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) frame.writeUInt16BE(length, 2);
  if (lengthBytes === 8) frame.writeBigUInt64BE(BigInt(length), 2);
  payload.copy(frame, frame.length - length);
  return frame;
}

function readLength(bytes: Buffer, at: number, size: number): number {
  const length = size === 2 ? bytes.readUInt16BE(at) : Number(bytes.readBigUInt64BE(at));
  if (length > payloadBytesMax) throw new RangeError(`a frame of ${length} bytes`);
  return length;
}

function applyMask(payload: Buffer, mask: Buffer): void {
  if (mask.readUInt32BE(0) === 0) return;
  for (let i = 0; i < payload.length; i += 1) payload[i] = payload[i]! ^ mask[i & 3]!;
}

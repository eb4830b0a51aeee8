import { BadFrame } from '../codec.ts';

// Fatal: text that is not UTF-8 must not arrive as something else. ignoreBOM: a leading U+FEFF is text.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** Reads the Protobuf wire format from bytes. All methods throw `BadFrame` and never read beyond `end`. */
export class Reader {
  readonly #bytes: Uint8Array;
  /** Where the message being read ends; narrowed and widened by the decoder as messages nest. */
  end: number;
  position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.end = bytes.length;
  }

  fail(what: string): never {
    throw new BadFrame(`protobuf: ${what} at byte ${this.position}`);
  }

  #byte(): number {
    if (this.position >= this.end) this.fail('truncated');
    return this.#bytes[this.position++] as number;
  }

  /** A field key, or a length: an unsigned varint of at most 32 bits. */
  varint32(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#byte();
      // Multiplied, not shifted: the fifth byte reaches bit 32.
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        if (value > 0xffffffff) this.fail('varint out of range');
        return value;
      }
    }
    return this.fail('varint too long');
  }

  /** A varint of up to 64 bits, in two's complement where `signed`; only what a number holds exactly. */
  integer(signed: boolean): number {
    let low = 0;
    let high = 0;
    for (let index = 0; index < 10; index++) {
      const byte = this.#byte();
      const bits = byte & 0x7f;
      if (index < 4) low += bits * 2 ** (7 * index);
      else if (index === 4) {
        low += (bits & 0x0f) * 2 ** 28;
        high = bits >> 4;
      } else high += bits * 2 ** (7 * index - 32);
      if (byte < 0x80) {
        if (high > 0xffffffff) this.fail('varint too long');
        if (signed && high >= 0x80000000) high -= 0x100000000;
        const value = high * 0x100000000 + low;
        if (!Number.isSafeInteger(value)) this.fail('integer out of range');
        return value;
      }
    }
    return this.fail('varint too long');
  }

  /** Any non-zero varint is true. */
  bool(): boolean {
    let any = 0;
    for (let index = 0; index < 10; index++) {
      const byte = this.#byte();
      any |= byte & 0x7f;
      if (byte < 0x80) return any !== 0;
    }
    return this.fail('varint too long');
  }

  /** Reads a length and returns where what it measures ends. */
  extent(): number {
    const length = this.varint32();
    if (length > this.end - this.position) this.fail('length beyond the end');
    return this.position + length;
  }

  /** A copy, so that keeping it does not keep the frame. */
  bytes(): Uint8Array {
    const end = this.extent();
    const copy = this.#bytes.slice(this.position, end);
    this.position = end;
    return copy;
  }

  string(): string {
    const start = this.position;
    const end = this.extent();
    const view = this.#bytes.subarray(this.position, end);
    this.position = end;
    try {
      return decoder.decode(view);
    } catch {
      this.position = start;
      return this.fail('malformed UTF-8');
    }
  }

  /** Passes over a field that the schema does not know. Groups, long deprecated, are refused. */
  skip(wireType: number): void {
    switch (wireType) {
      case wireTypes.varint:
        this.bool();
        return;
      case wireTypes.bytes:
        this.position = this.extent();
        return;
      case wireTypes.fixed64:
      case wireTypes.fixed32: {
        const length = wireType === wireTypes.fixed64 ? 8 : 4;
        if (length > this.end - this.position) this.fail('truncated');
        this.position += length;
        return;
      }
      default:
        this.fail('unknown wire type');
    }
  }
}

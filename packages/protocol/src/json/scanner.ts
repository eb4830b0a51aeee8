import { BadFrame, frameBounds } from '../codec.ts';
import { breaksToSpaces } from './breaks-to-spaces.ts';

/** Byte classes inside a string: 0 is taken as it is, the rest needs a look. */
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const stringClass = new Uint8Array(256);
stringClass.fill(1, 0, 0x20);
stringClass.fill(1, 0x80);
stringClass[QUOTE] = 1;
stringClass[BACKSLASH] = 1;

/** `"`, `/`, `\`, `b`, `f`, `n`, `r`, `t`: what may follow a backslash, besides `u`. */
const simpleEscape = new Uint8Array(256);
for (const byte of [0x22, 0x2f, 0x5c, 0x62, 0x66, 0x6e, 0x72, 0x74]) simpleEscape[byte] = 1;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Members met so far per open container of the value being skipped; arrays hold a negative number. */
const membersAtDepth = new Int32Array(frameBounds.depthMax + 1);
const ARRAY = -1;

/** For values that are followed beyond the depth allowed, up to their end: never deeper than the frame is long. */
function deeper(members: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const more = new Int32Array(members.length * 2);
  more.set(members);
  return more;
}

/** Up to here, building a string from its codes beats the call into TextDecoder: measured on Node 24, even at 12 to 16. */
const shortStringMax = 12;

/**
 * Reads JSON (RFC 8259) from bytes, in place: names, scalars, and whole values that are checked but
 * never built. Strict where JSON.parse is lenient: text must be well-formed UTF-8 and escapes must
 * not leave a lone surrogate, because both would arrive as something else at the other end.
 *
 * All methods throw `BadFrame` naming the byte offset. Positions move forward only, so the work is
 * linear in the frame.
 */
export class Scanner {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #pos = 0;
  /** A line break was skipped between tokens since this was last set to false. */
  #lineBreak = false;
  /** About the string skipped last. */
  #plain = true;
  #escaped = false;
  /** The value being read is a payload: a flaw of it is noted, and does not end the frame. */
  #inPayload = false;
  #flaw: string | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#end = bytes.length;
  }

  fail(what: string): never {
    throw new BadFrame(`json: ${what} at byte ${this.#pos}`);
  }

  /**
   * What is wrong with a payload read since the last call: JSON, but beyond `frameBounds`, or with a
   * lone surrogate escaped. Undefined where all is well.
   */
  takeFlaw(): string | undefined {
    const flaw = this.#flaw;
    this.#flaw = undefined;
    return flaw;
  }

  /** The next byte that is not white space, which stays unread; -1 at the end. */
  peek(): number {
    const pos = this.#space(this.#pos);
    this.#pos = pos;
    return pos < this.#end ? (this.#bytes[pos] as number) : -1;
  }

  /** Takes one byte that must come next after white space. */
  expect(byte: number): void {
    if (this.peek() !== byte) this.fail(`expected ${String.fromCharCode(byte)}`);
    this.#pos += 1;
  }

  /** Takes the byte if it comes next after white space. */
  accept(byte: number): boolean {
    if (this.peek() !== byte) return false;
    this.#pos += 1;
    return true;
  }

  /** Skips white space up to the next message. True where it held a line feed or nothing follows. */
  nextLine(): boolean {
    const from = this.#pos;
    const byte = this.peek();
    if (byte === -1) return true;
    for (let pos = from; pos < this.#pos; pos++) if (this.#bytes[pos] === 0x0a) return true;
    return false;
  }

  /** Takes `null` if it comes next after white space. */
  acceptNull(): boolean {
    if (this.peek() !== 0x6e) return false;
    this.#pos = this.#literal(this.#pos, 'null');
    return true;
  }

  boolean(): boolean {
    const byte = this.peek();
    if (byte !== 0x74 && byte !== 0x66) this.fail('expected true or false');
    this.#pos = this.#literal(this.#pos, byte === 0x74 ? 'true' : 'false');
    return byte === 0x74;
  }

  /** An integer written as such (no fraction, no exponent) between the bounds, both included. */
  integer(min: number, max: number): number {
    let pos = this.peek() === 0x2d ? this.#pos + 1 : this.#pos;
    const negative = pos > this.#pos;
    const first = pos;
    let value = 0;
    for (; pos < this.#end; pos++) {
      const digit = (this.#bytes[pos] as number) - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      // Leaves long before the sum loses precision, and bounds the digits read.
      if (value > Number.MAX_SAFE_INTEGER) this.fail('integer out of range');
    }
    if (pos === first || (this.#bytes[first] === 0x30 && pos > first + 1)) this.fail('expected an integer');
    const after = this.#bytes[pos];
    if (after === 0x2e || after === 0x65 || after === 0x45) this.fail('expected an integer');
    if (negative && value !== 0) value = -value;
    if (value < min || value > max) this.fail('integer out of range');
    this.#pos = pos;
    return value;
  }

  string(): string {
    this.expect(QUOTE);
    const start = this.#pos;
    const after = this.#string(start);
    this.#pos = after;
    if (this.#escaped) {
      // Checked above: the built-in parser only unescapes it.
      return JSON.parse(decoder.decode(this.#bytes.subarray(start - 1, after))) as string;
    }
    const end = after - 1;
    if (!this.#plain || end - start > shortStringMax) return decoder.decode(this.#bytes.subarray(start, end));
    let text = '';
    for (let pos = start; pos < end; pos++) text += String.fromCharCode(this.#bytes[pos] as number);
    return text;
  }

  /**
   * Takes a member name and its colon if they stand here exactly as in `label` (`"name":`), without
   * building a string. Call after `peek`. False also for other spellings of the same name.
   */
  acceptLabel(label: Uint8Array): boolean {
    const bytes = this.#bytes;
    const start = this.#pos;
    const last = label.length - 1;
    // The last byte first: it tells names of different length apart at once.
    if (bytes[start + last] !== label[last]) return false;
    for (let i = 0; i < last; i++) if (bytes[start + i] !== label[i]) return false;
    this.#pos = start + label.length;
    return true;
  }

  /**
   * A payload: one value of any kind, checked and copied; line breaks between its tokens become
   * spaces. Undefined where it has a flaw, for `takeFlaw` to tell.
   */
  raw(): Uint8Array | undefined {
    this.peek();
    const start = this.#pos;
    this.#lineBreak = false;
    const earlier = this.takeFlaw();
    this.#inPayload = true;
    this.skip();
    this.#inPayload = false;
    const isFlawed = this.#flaw !== undefined;
    this.#flaw = earlier ?? this.#flaw;
    if (isFlawed) return undefined;
    const copy = this.#bytes.slice(start, this.#pos);
    if (this.#lineBreak) breaksToSpaces(copy);
    return copy;
  }

  /** Checks one value of any kind. Depth and members are bounded by `frameBounds`, counted from here. */
  // long on purpose: the grammar of values as one loop over an explicit stack, so that hostile depth costs no stack of ours.
  skip(): void {
    const bytes = this.#bytes;
    let members = membersAtDepth;
    let pos = this.#pos;
    let depth = 0;
    for (;;) {
      pos = this.#space(pos);
      const byte = bytes[pos];
      let more = false;
      switch (byte) {
        case QUOTE:
          pos = this.#string(pos + 1);
          break;
        case 0x7b: // {
          if (++depth > frameBounds.depthMax) {
            this.#flawAt(pos, 'nested too deeply');
            if (depth >= members.length) members = deeper(members);
          }
          pos = this.#space(pos + 1);
          if (bytes[pos] === 0x7d) {
            pos++;
            depth--;
            break;
          }
          members[depth] = 1;
          pos = this.#memberName(pos);
          continue;
        case 0x5b: // [
          if (++depth > frameBounds.depthMax) {
            this.#flawAt(pos, 'nested too deeply');
            if (depth >= members.length) members = deeper(members);
          }
          pos = this.#space(pos + 1);
          if (bytes[pos] === 0x5d) {
            pos++;
            depth--;
            break;
          }
          members[depth] = ARRAY;
          continue;
        case 0x74:
          pos = this.#literal(pos, 'true');
          break;
        case 0x66:
          pos = this.#literal(pos, 'false');
          break;
        case 0x6e:
          pos = this.#literal(pos, 'null');
          break;
        default:
          pos = this.#number(pos);
      }
      // A value has ended: close what ends with it, up to the next member or element.
      while (depth > 0 && !more) {
        pos = this.#space(pos);
        const count = members[depth] as number;
        const next = bytes[pos];
        if (next === 0x2c) {
          pos++;
          if (count !== ARRAY) {
            if (count >= frameBounds.keysMax) this.#flawAt(pos, 'too many members');
            members[depth] = count + 1;
            pos = this.#memberName(this.#space(pos));
          }
          more = true;
        } else if (next === (count === ARRAY ? 0x5d : 0x7d)) {
          pos++;
          depth--;
        } else {
          this.#failAt(pos, 'expected , or the end of the value');
        }
      }
      if (depth === 0) break;
    }
    this.#pos = pos;
  }

  #failAt(pos: number, what: string): never {
    this.#pos = pos;
    return this.fail(what);
  }

  /** Beyond the bounds: ends the frame, or only the payload that is being read. */
  #flawAt(pos: number, what: string): void {
    if (!this.#inPayload) this.#failAt(pos, what);
    this.#flaw ??= `json: ${what} at byte ${pos}`;
  }

  #space(from: number): number {
    const bytes = this.#bytes;
    let pos = from;
    while (pos < this.#end) {
      const byte = bytes[pos] as number;
      if (byte > 0x20) break;
      if (byte === 0x0a || byte === 0x0d) this.#lineBreak = true;
      else if (byte !== 0x20 && byte !== 0x09) break;
      pos++;
    }
    return pos;
  }

  #memberName(pos: number): number {
    if (this.#bytes[pos] !== QUOTE) this.#failAt(pos, 'expected a member name');
    const after = this.#space(this.#string(pos + 1));
    if (this.#bytes[after] !== 0x3a) this.#failAt(after, 'expected :');
    return after + 1;
  }

  #literal(pos: number, word: string): number {
    for (let i = 0; i < word.length; i++) {
      if (this.#bytes[pos + i] !== word.charCodeAt(i)) this.#failAt(pos, `expected ${word}`);
    }
    return pos + word.length;
  }

  #digits(from: number): number {
    let pos = from;
    while (pos < this.#end) {
      const byte = this.#bytes[pos] as number;
      if (byte < 0x30 || byte > 0x39) break;
      pos++;
    }
    if (pos === from) this.#failAt(pos, 'expected a value');
    return pos;
  }

  #number(from: number): number {
    const bytes = this.#bytes;
    const first = bytes[from] === 0x2d ? from + 1 : from;
    let pos = bytes[first] === 0x30 ? first + 1 : this.#digits(first);
    if (bytes[pos] === 0x2e) pos = this.#digits(pos + 1);
    const exponent = bytes[pos];
    if (exponent === 0x65 || exponent === 0x45) {
      const sign = bytes[pos + 1];
      pos = this.#digits(sign === 0x2b || sign === 0x2d ? pos + 2 : pos + 1);
    }
    return pos;
  }

  /** From behind the opening quote to behind the closing one. */
  #string(from: number): number {
    const bytes = this.#bytes;
    const end = this.#end;
    this.#plain = true;
    this.#escaped = false;
    let pos = from;
    for (;;) {
      while (pos < end && stringClass[bytes[pos] as number] === 0) pos++;
      if (pos >= end) this.#failAt(pos, 'unfinished string');
      const byte = bytes[pos] as number;
      if (byte === QUOTE) return pos + 1;
      if (byte === BACKSLASH) {
        this.#escaped = true;
        pos = this.#escape(pos);
      } else if (byte >= 0x80) {
        this.#plain = false;
        pos = this.#utf8(pos);
      } else {
        this.#failAt(pos, 'control character in a string');
      }
    }
  }

  #escape(pos: number): number {
    const kind = this.#bytes[pos + 1];
    if (kind !== undefined && simpleEscape[kind] === 1) return pos + 2;
    if (kind !== 0x75) this.#failAt(pos, 'unknown escape');
    const unit = this.#hex4(pos + 2);
    if (unit < 0xd800 || unit > 0xdfff) return pos + 6;
    const paired = unit < 0xdc00 && this.#bytes[pos + 6] === BACKSLASH && this.#bytes[pos + 7] === 0x75;
    const low = paired ? this.#hex4(pos + 8) : 0;
    if (low >= 0xdc00 && low <= 0xdfff) return pos + 12;
    this.#flawAt(pos, 'lone surrogate');
    return pos + 6;
  }

  #hex4(from: number): number {
    let unit = 0;
    for (let pos = from; pos < from + 4; pos++) {
      const byte = this.#bytes[pos] ?? 0;
      const lower = byte | 0x20;
      if (byte >= 0x30 && byte <= 0x39) unit = unit * 16 + byte - 0x30;
      else if (lower >= 0x61 && lower <= 0x66) unit = unit * 16 + lower - 0x57;
      else this.#failAt(pos, 'expected four hex digits');
    }
    return unit;
  }

  /** One sequence of two to four bytes, by the table of well-formed UTF-8 (Unicode 3.9, table 3-7). */
  #utf8(pos: number): number {
    const lead = this.#bytes[pos] as number;
    const second = this.#bytes[pos + 1] ?? 0;
    let length = 0;
    if (lead >= 0xc2 && lead <= 0xdf) length = 2;
    else if (lead >= 0xe0 && lead <= 0xef) length = 3;
    else if (lead >= 0xf0 && lead <= 0xf4) length = 4;
    const min = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const max = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    let ok = length > 0 && second >= min && second <= max;
    for (let i = 2; i < length; i++) ok &&= ((this.#bytes[pos + i] ?? 0) & 0xc0) === 0x80;
    if (!ok) this.#failAt(pos, 'malformed UTF-8');
    return pos + length;
  }
}

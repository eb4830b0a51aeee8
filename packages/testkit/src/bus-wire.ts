/** A whole message of what an engine sends; `topic` where it is one that a subscription gets. */
export interface WirePiece {
  readonly bytes: Buffer;
  /** Subject of NATS, or channel of Redis. */
  readonly topic?: string;
}

/** What a server of the engine says, cut where its messages end. Nothing is lost: all pieces together are the input. */
export interface WireCutter {
  /** Messages that end within `chunk`. Throws for what is not the protocol. */
  take(chunk: Buffer): WirePiece[];
}

export type BusWire = 'nats' | 'redis';

export function cutterFor(wire: BusWire): WireCutter {
  return new Cutter(wire === 'nats' ? natsPiece : redisPiece);
}

/** The message at the head of `bytes`, undefined while its end is not there. */
type ReadPiece = (bytes: Buffer) => WirePiece | undefined;

class Cutter implements WireCutter {
  readonly #read: ReadPiece;
  #rest: Buffer = Buffer.alloc(0);

  constructor(read: ReadPiece) {
    this.#read = read;
  }

  take(chunk: Buffer): WirePiece[] {
    const pieces: WirePiece[] = [];
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (let piece = this.#read(this.#rest); piece !== undefined; piece = this.#read(this.#rest)) {
      pieces.push(piece);
      this.#rest = this.#rest.subarray(piece.bytes.length);
    }
    return pieces;
  }
}

/** `MSG subject sid [reply] size`, `HMSG subject sid [reply] headers size`, each with so many bytes behind; all else is a line. */
function natsPiece(bytes: Buffer): WirePiece | undefined {
  const lineEnd = endOfLine(bytes, 0);
  if (lineEnd === undefined) return undefined;
  const [verb = '', topic = '', ...rest] = bytes.toString('latin1', 0, lineEnd - 2).split(/[ \t]+/);
  if (!/^H?MSG$/i.test(verb)) return { bytes: bytes.subarray(0, lineEnd) };
  const end = lineEnd + sizeOf(rest.at(-1)) + 2;
  return end > bytes.length ? undefined : { bytes: bytes.subarray(0, end), topic };
}

/** An answer, or a push `[message | smessage, channel, payload]` of RESP2 or RESP3. */
function redisPiece(bytes: Buffer): WirePiece | undefined {
  const end = endOfValue(bytes, 0);
  if (end === undefined) return undefined;
  const piece = bytes.subarray(0, end);
  const [, topic] =
    /^[*>]3\r\n\$[78]\r\ns?message\r\n\$\d+\r\n([^\r]*)\r\n/.exec(piece.toString('latin1', 0, 1_024)) ?? [];
  return topic === undefined ? { bytes: piece } : { bytes: piece, topic: Buffer.from(topic, 'latin1').toString() };
}

/** Where the value that begins at `at` ends; undefined while that is not there. */
function endOfValue(bytes: Buffer, at: number): number | undefined {
  const lineEnd = endOfLine(bytes, at);
  if (lineEnd === undefined) return undefined;
  const kind = String.fromCharCode(bytes[at] ?? 0);
  if ('+-:_#,('.includes(kind)) return lineEnd;
  const written = bytes.toString('latin1', at + 1, lineEnd - 2);
  if ('$!='.includes(kind)) {
    if (written === '-1') return lineEnd;
    const end = lineEnd + sizeOf(written) + 2;
    return end > bytes.length ? undefined : end;
  }
  if (!'*~>%|'.includes(kind)) throw new Error(`Redis does not begin a value with ${JSON.stringify(kind)}`);
  if (written === '-1') return lineEnd;
  // Attributes stand ahead of the value that they are about.
  const values = kind === '%' ? 2 * sizeOf(written) : kind === '|' ? 2 * sizeOf(written) + 1 : sizeOf(written);
  let end: number | undefined = lineEnd;
  for (let i = 0; i < values && end !== undefined; i += 1) end = endOfValue(bytes, end);
  return end;
}

function endOfLine(bytes: Buffer, at: number): number | undefined {
  const found = bytes.indexOf('\r\n', at);
  return found < 0 ? undefined : found + 2;
}

function sizeOf(written: string | undefined): number {
  if (written === undefined || !/^\d{1,15}$/.test(written)) throw new Error(`no size: ${JSON.stringify(written)}`);
  return Number(written);
}

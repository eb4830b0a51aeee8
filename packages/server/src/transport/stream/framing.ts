import type { Codec, Reply } from '@tutti/protocol';
import { jsonCodec } from '@tutti/protocol/json';
import { protobufCodec } from '@tutti/protocol/protobuf';
import type { OutboundFrame, UpgradeRefusal } from '../transport.ts';

/** How frames stand in the body of a response that never ends. */
export interface Framing {
  readonly codec: Codec;
  readonly contentType: string;
  /** First bytes of the body: proxies and browsers pass on a response once it has some. */
  opening(): Uint8Array;
  /** Empty: nothing of the frame leaves. */
  wrap(frame: OutboundFrame): Uint8Array;
  /** Last bytes of the body. */
  closing(code: number, reason: string): Uint8Array;
  /** The reader is to come back: the stream ends behind what was written. Absent: never. */
  readonly isOver?: boolean;
  /**
   * Where the response does not begin before the connect is answered: what its status will be. Asked
   * until it says `open`, or a refusal. Absent: it begins at once.
   */
  verdict?(of: OutboundFrame | { readonly code: number; readonly reason: string }): 'open' | 'wait' | UpgradeRefusal;
}

const nothing = Buffer.alloc(0);
const lineFeed = 0x0a;
const dataField = Buffer.from('data: ');

/** `text/event-stream`: a frame is an event, each of its lines a `data` line, which the reader joins again. */
export const sseFraming: Framing = {
  codec: jsonCodec,
  contentType: 'text/event-stream',
  opening: () => Buffer.from('\r\n'),
  wrap: (frame) => (frame.event ??= eventOf(frame.bytes)),
  closing: (code, reason) => eventOf(disconnectPush(jsonCodec, code, reason)),
};

/** Objects, a line break behind each. */
export const linesFraming: Framing = {
  codec: jsonCodec,
  contentType: 'application/json; charset=utf-8',
  opening: () => nothing,
  wrap: (frame) => (frame.lines ??= withLineFeed(frame.bytes)),
  closing: (code, reason) => withLineFeed(disconnectPush(jsonCodec, code, reason)),
};

/** Protobuf messages have their length before them already. */
export const protobufFraming: Framing = {
  codec: protobufCodec,
  contentType: 'application/octet-stream',
  opening: () => nothing,
  wrap: (frame) => frame.bytes,
  closing: (code, reason) => disconnectPush(protobufCodec, code, reason),
};

/** One event of the data, whose lines become `data` lines. */
export function eventOf(bytes: Uint8Array, fields: Uint8Array = nothing): Uint8Array {
  const parts: Uint8Array[] = [fields];
  let start = 0;
  for (let end = bytes.indexOf(lineFeed); end >= 0; end = bytes.indexOf(lineFeed, start)) {
    parts.push(dataField, bytes.subarray(start, end + 1));
    start = end + 1;
  }
  parts.push(dataField, bytes.subarray(start), Buffer.from('\n\n'));
  return Buffer.concat(parts);
}

function withLineFeed(bytes: Uint8Array): Uint8Array {
  const lines = Buffer.allocUnsafe(bytes.length + 1);
  lines.set(bytes);
  lines[bytes.length] = lineFeed;
  return lines;
}

function disconnectPush(codec: Codec, code: number, reason: string): Uint8Array {
  const reply: Reply = { push: { disconnect: { code, reason } } };
  return codec.joinReplies([codec.encodeReply(reply)]);
}

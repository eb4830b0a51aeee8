/**
 * The JSON codec: one message a line; payloads are raw JSON, checked once and carried unparsed.
 *
 * Two things do not survive, both for want of a spelling: a payload that is `null` arrives as an
 * absent one, and line breaks between the tokens of a payload arrive as spaces.
 */
import { ByteWriter } from '../byte-writer.ts';
import { BadFrame, type Codec } from '../codec.ts';
import { messageType, type AnyMessage } from '../message-types.ts';
import type { Publication } from '../messages.ts';
import { decodeMessages, plainBytes } from './decode.ts';
import { writeMessage } from './encode.ts';
import { Scanner } from './scanner.ts';

export { Scanner };

const commandType = messageType('Command');
const replyType = messageType('Reply');
const publicationType = messageType('Publication');
const writer = new ByteWriter();
const LINE_FEED = 0x0a;
const lineFeed = Uint8Array.of(LINE_FEED);

/**
 * Checks that the bytes are one JSON value within `frameBounds`, as payloads must be that enter by
 * another codec and may leave by this one. White space around it is allowed. Throws `BadFrame`.
 */
export function validateJson(bytes: Uint8Array): void {
  const scanner = new Scanner(plainBytes(bytes));
  scanner.skip();
  if (scanner.peek() !== -1) scanner.fail('expected the end');
}

/** One bad payload is no reason to turn down the commands around it. */
function noteFlaw(message: AnyMessage, flaw: string): void {
  message['flaw'] = flaw;
}

function refuseFlaw(_message: AnyMessage, flaw: string): never {
  throw new BadFrame(flaw);
}

function joinLines(encoded: readonly Uint8Array[]): Uint8Array {
  const [first] = encoded;
  if (first !== undefined && encoded.length === 1) return first;
  let length = Math.max(0, encoded.length - 1);
  for (const message of encoded) length += message.length;
  const frame = new Uint8Array(length);
  let position = 0;
  for (const message of encoded) {
    if (position > 0) frame[position++] = LINE_FEED;
    frame.set(message, position);
    position += message.length;
  }
  return frame;
}

/** One publication as it stands inside a push: for transports that carry nothing else. */
export function encodePublication(publication: Publication): Uint8Array {
  writer.reset();
  writeMessage(writer, publication as unknown as AnyMessage, publicationType);
  return writer.take();
}

export const jsonCodec: Codec = {
  name: 'json',
  binary: false,
  decodeCommands: (frame) => decodeMessages(frame, commandType, noteFlaw),
  decodeReplies: (frame) => decodeMessages(frame, replyType, refuseFlaw),
  encodeReply(reply) {
    writer.reset();
    writeMessage(writer, reply as AnyMessage, replyType);
    return writer.take();
  },
  joinReplies: joinLines,
  encodeCommands(commands) {
    writer.reset();
    for (const command of commands) {
      if (writer.position > 0) writer.raw(lineFeed);
      writeMessage(writer, command as AnyMessage, commandType);
    }
    return writer.take();
  },
};

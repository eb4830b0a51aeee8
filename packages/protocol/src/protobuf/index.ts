/**
 * The Protobuf codec: each message behind its length as a varint. Payloads are opaque bytes here.
 * Knows nothing of JSON, so that the SDK can import it alone.
 */
import { ByteWriter } from '../byte-writer.ts';
import type { Codec } from '../codec.ts';
import { messageType, type AnyMessage } from '../message-types.ts';
import { decodeMessages } from './decode.ts';
import { writeMessage } from './encode.ts';

const commandType = messageType('Command');
const replyType = messageType('Reply');
const writer = new ByteWriter();

/** The length belongs to each encoded reply, so a frame is nothing but replies in a row. */
function concatenate(encoded: readonly Uint8Array[]): Uint8Array {
  const [first] = encoded;
  if (first !== undefined && encoded.length === 1) return first;
  let length = 0;
  for (const message of encoded) length += message.length;
  const frame = new Uint8Array(length);
  let position = 0;
  for (const message of encoded) {
    frame.set(message, position);
    position += message.length;
  }
  return frame;
}

export const protobufCodec: Codec = {
  name: 'protobuf',
  binary: true,
  decodeCommands: (frame) => decodeMessages(frame, commandType),
  decodeReplies: (frame) => decodeMessages(frame, replyType),
  encodeReply(reply) {
    writer.reset();
    writeMessage(writer, reply as AnyMessage, replyType);
    return writer.take();
  },
  joinReplies: concatenate,
  encodeCommands(commands) {
    writer.reset();
    for (const command of commands) writeMessage(writer, command as AnyMessage, commandType);
    return writer.take();
  },
};

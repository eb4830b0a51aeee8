import { frameBounds } from '../codec.ts';
import { integerRange, withDefaults, type AnyMessage, type Field, type MessageType } from '../message-types.ts';
import { Reader, wireTypes } from './reader.ts';

const KEY = (1 << 3) | wireTypes.bytes;
const VALUE = (2 << 3) | wireTypes.bytes;

/** All messages of one frame, each behind its length. */
export function decodeMessages(frame: Uint8Array, type: MessageType): AnyMessage[] {
  // A plain view: `slice` on Node's Buffer would not copy.
  const reader = new Reader(
    frame.constructor === Uint8Array ? frame : new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength),
  );
  if (reader.end === 0) reader.fail('empty frame');
  const messages: AnyMessage[] = [];
  while (reader.position < reader.end) {
    if (messages.length >= frameBounds.messagesMax) reader.fail('too many messages');
    messages.push(readMessage(reader, type));
  }
  return messages;
}

/**
 * A message behind its length. Recursion follows the schema, which is finite and has no cycle, and
 * never the input: unknown fields are passed over as bytes.
 */
function readMessage(reader: Reader, type: MessageType): AnyMessage {
  const outerEnd = reader.end;
  reader.end = reader.extent();
  const message: AnyMessage = {};
  let entries: Map<Field, number> | undefined;
  while (reader.position < reader.end) {
    const key = reader.varint32();
    const number = key >>> 3;
    if (number === 0) reader.fail('field number 0');
    const field = type.byNumber[number];
    if (field === undefined) {
      reader.skip(key & 7);
      continue;
    }
    if ((key & 7) !== wireTypeOf(field)) reader.fail(`wrong wire type for ${field.name}`);
    if (field.type === 'map') {
      entries ??= new Map();
      const count = (entries.get(field) ?? 0) + 1;
      if (count > frameBounds.keysMax) reader.fail('too many members');
      entries.set(field, count);
    }
    readField(reader, field, message);
  }
  reader.end = outerEnd;
  return withDefaults(message, type);
}

function wireTypeOf(field: Field): number {
  switch (field.type) {
    case 'string':
    case 'bytes':
    case 'message':
    case 'map':
      return wireTypes.bytes;
    default:
      return wireTypes.varint;
  }
}

function readField(reader: Reader, field: Field, message: AnyMessage): void {
  if (field.type === 'map') {
    readEntry(reader, field.message, (message[field.name] ??= Object.create(null)) as AnyMessage);
  } else if (field.repeated) {
    ((message[field.name] ??= []) as AnyMessage[]).push(readMessage(reader, field.message as MessageType));
  } else {
    message[field.name] = readValue(reader, field);
  }
}

function readValue(reader: Reader, field: Field): unknown {
  switch (field.type) {
    case 'string':
      return reader.string();
    case 'bytes':
      return reader.bytes();
    case 'bool':
      return reader.bool();
    case 'message':
      return readMessage(reader, field.message as MessageType);
    default: {
      const [min, max] = integerRange(field.type);
      const value = reader.integer(min < 0);
      if (value < min || value > max) reader.fail(`${field.name} out of range`);
      return value;
    }
  }
}

/** A map entry is a message of its own: key 1, value 2; what is absent is the type's default. */
function readEntry(reader: Reader, type: MessageType | null, map: AnyMessage): void {
  const outerEnd = reader.end;
  reader.end = reader.extent();
  let key = '';
  let value: unknown;
  while (reader.position < reader.end) {
    const fieldKey = reader.varint32();
    if (fieldKey === KEY) key = reader.string();
    else if (fieldKey === VALUE) value = type === null ? reader.string() : readMessage(reader, type);
    else if (fieldKey >>> 3 <= 2) reader.fail('wrong wire type in a map entry');
    else reader.skip(fieldKey & 7);
  }
  reader.end = outerEnd;
  map[key] = value ?? (type === null ? '' : withDefaults({}, type));
}

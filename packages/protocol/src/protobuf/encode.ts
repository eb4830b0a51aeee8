import type { ByteWriter } from '../byte-writer.ts';
import { mustFit, type AnyMessage, type Field, type MessageType } from '../message-types.ts';
import { wireTypes } from './reader.ts';

/** The longest varint: 64 bits, seven to a byte. */
const varintBytesMax = 10;

/** A safe integer; negative ones take ten bytes, in two's complement of 64 bits. */
function writeVarint(writer: ByteWriter, value: number): void {
  writer.reserve(varintBytesMax);
  const bytes = writer.bytes;
  let position = writer.position;
  let low = (value % 0x100000000) >>> 0;
  let high = Math.floor(value / 0x100000000) >>> 0;
  while (high > 0 || low > 0x7f) {
    bytes[position++] = (low & 0x7f) | 0x80;
    low = ((low >>> 7) | (high << 25)) >>> 0;
    high >>>= 7;
  }
  bytes[position++] = low;
  writer.position = position;
}

/** Writes what `body` writes, behind its length. One byte is set aside, and room made where it takes more. */
function writeDelimited(writer: ByteWriter, body: () => void): void {
  writer.reserve(varintBytesMax);
  const start = ++writer.position;
  body();
  const length = writer.position - start;
  if (length > 0x7f) {
    let prefixBytes = 1;
    for (let rest = length; rest > 0x7f; rest >>>= 7) prefixBytes++;
    // While the position is behind the body: growing keeps only what lies before it.
    writer.reserve(varintBytesMax);
    writer.position = start - 1;
    writer.bytes.copyWithin(start + prefixBytes - 1, start, start + length);
    writeVarint(writer, length);
    writer.position += length;
  } else {
    writer.bytes[start - 1] = length;
  }
}

function writeKey(writer: ByteWriter, number: number, wireType: number): void {
  writeVarint(writer, number * 8 + wireType);
}

/** A message behind its length, as it stands in frames and in other messages. */
export function writeMessage(writer: ByteWriter, message: AnyMessage, type: MessageType): void {
  writeDelimited(writer, () => {
    for (const name in message) {
      const value = message[name];
      const field = type.byName.get(name);
      if (value !== undefined && value !== null && field !== undefined) writeField(writer, field, value);
    }
  });
}

/**
 * An optional field is written whenever it is set, default or not, so that the other end can tell;
 * a required one may be left out at its default, which the reader restores.
 */
function writeField(writer: ByteWriter, field: Field, value: unknown): void {
  if (field.type === 'map') {
    writeMap(writer, field, value as AnyMessage);
    return;
  }
  if (field.repeated) {
    for (const message of value as AnyMessage[]) {
      writeKey(writer, field.number, wireTypes.bytes);
      writeMessage(writer, message, field.message as MessageType);
    }
    return;
  }
  switch (field.type) {
    case 'string':
      if (value !== '' || !field.required) writeString(writer, field.number, value as string);
      return;
    case 'bytes':
      writeKey(writer, field.number, wireTypes.bytes);
      writeVarint(writer, (value as Uint8Array).length);
      writer.raw(value as Uint8Array);
      return;
    case 'bool':
      writeKey(writer, field.number, wireTypes.varint);
      writeVarint(writer, value === true ? 1 : 0);
      return;
    case 'message':
      writeKey(writer, field.number, wireTypes.bytes);
      writeMessage(writer, value as AnyMessage, field.message as MessageType);
      return;
    default: {
      const integer = mustFit(field, value);
      if (integer === 0 && field.required) return;
      writeKey(writer, field.number, wireTypes.varint);
      writeVarint(writer, integer);
    }
  }
}

function writeString(writer: ByteWriter, number: number, text: string): void {
  writeKey(writer, number, wireTypes.bytes);
  writeDelimited(writer, () => {
    writer.utf8(text);
  });
}

function writeMap(writer: ByteWriter, field: Field, map: AnyMessage): void {
  for (const key of Object.keys(map)) {
    writeKey(writer, field.number, wireTypes.bytes);
    writeDelimited(writer, () => {
      writeString(writer, 1, key);
      const value = map[key];
      if (field.message === null) {
        writeString(writer, 2, value as string);
        return;
      }
      writeKey(writer, 2, wireTypes.bytes);
      writeMessage(writer, value as AnyMessage, field.message);
    });
  }
}

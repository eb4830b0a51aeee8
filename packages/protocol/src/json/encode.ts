import type { ByteWriter } from '../byte-writer.ts';
import { mustFit, type AnyMessage, type Field, type MessageType } from '../message-types.ts';
import { breaksToSpaces } from './breaks-to-spaces.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;

function writeByte(writer: ByteWriter, byte: number): void {
  writer.reserve(1);
  writer.bytes[writer.position++] = byte;
}

/** Bytes known to be few: a loop beats the call into `set`. */
function writeShort(writer: ByteWriter, source: Uint8Array): void {
  writer.reserve(source.length);
  const bytes = writer.bytes;
  let position = writer.position;
  for (let i = 0; i < source.length; i++) bytes[position++] = source[i] as number;
  writer.position = position;
}

function writeAscii(writer: ByteWriter, text: string): void {
  writer.reserve(text.length);
  for (let i = 0; i < text.length; i++) writer.bytes[writer.position++] = text.charCodeAt(i);
}

/** Strings without anything to escape, which nearly all are, are written as they are scanned. */
function writeString(writer: ByteWriter, text: string): void {
  const length = text.length;
  writer.reserve(length + 2);
  const bytes = writer.bytes;
  let position = writer.position;
  bytes[position++] = QUOTE;
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code >= 0x80 || code === QUOTE || code === BACKSLASH) {
      writer.utf8(JSON.stringify(text.toWellFormed()));
      return;
    }
    bytes[position++] = code;
  }
  bytes[position++] = QUOTE;
  writer.position = position;
}

/** Checked JSON, embedded as it is: only line breaks, which would end the message, become spaces. */
function writePayload(writer: ByteWriter, payload: Uint8Array): void {
  if (payload.length === 0) {
    writeAscii(writer, 'null');
    return;
  }
  const start = writer.position;
  writer.raw(payload);
  if (payload.includes(0x0a) || payload.includes(0x0d)) {
    breaksToSpaces(writer.bytes.subarray(start, writer.position));
  }
}

/** One message as one line. Members that are undefined are left out, and so is an empty optional payload. */
export function writeMessage(writer: ByteWriter, message: AnyMessage, type: MessageType): void {
  let separator = 0x7b; // {
  for (const name in message) {
    const value = message[name];
    const field = type.byName.get(name);
    if (value === undefined || value === null || field === undefined) continue;
    if (field.type === 'bytes' && !field.required && (value as Uint8Array).length === 0) continue;
    writeByte(writer, separator);
    separator = COMMA;
    writeShort(writer, field.label);
    writeField(writer, field, value);
  }
  if (separator !== COMMA) writeByte(writer, separator);
  writeByte(writer, 0x7d);
}

function writeField(writer: ByteWriter, field: Field, value: unknown): void {
  if (field.type === 'map') {
    writeMap(writer, field, value as AnyMessage);
    return;
  }
  if (field.repeated) {
    writeList(writer, field, value as AnyMessage[]);
    return;
  }
  switch (field.type) {
    case 'string':
      writeString(writer, value as string);
      return;
    case 'bytes':
      writePayload(writer, value as Uint8Array);
      return;
    case 'bool':
      writeAscii(writer, value === true ? 'true' : 'false');
      return;
    case 'message':
      writeMessage(writer, value as AnyMessage, field.message as MessageType);
      return;
    default:
      writeAscii(writer, String(mustFit(field, value)));
  }
}

function writeList(writer: ByteWriter, field: Field, list: readonly AnyMessage[]): void {
  let separator = 0x5b; // [
  for (const message of list) {
    writeByte(writer, separator);
    separator = COMMA;
    writeMessage(writer, message, field.message as MessageType);
  }
  if (separator !== COMMA) writeByte(writer, separator);
  writeByte(writer, 0x5d);
}

function writeMap(writer: ByteWriter, field: Field, map: AnyMessage): void {
  let separator = 0x7b; // {
  for (const key of Object.keys(map)) {
    writeByte(writer, separator);
    separator = COMMA;
    writeString(writer, key);
    writeByte(writer, 0x3a);
    const value = map[key];
    if (field.message === null) writeString(writer, value as string);
    else writeMessage(writer, value as AnyMessage, field.message);
  }
  if (separator !== COMMA) writeByte(writer, separator);
  writeByte(writer, 0x7d);
}

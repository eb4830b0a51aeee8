import { frameBounds } from '../codec.ts';
import { integerRange, withDefaults, type AnyMessage, type Field, type MessageType } from '../message-types.ts';
import { Scanner } from './scanner.ts';

const OPEN = 0x7b;
const CLOSE = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;

/** A view that is a plain Uint8Array: `slice` on Node's Buffer would not copy. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return bytes.constructor === Uint8Array ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * All messages of one frame: objects with a line break between each two. `flawed` is called for a
 * message that has a flawed payload, which is left out of it; it may throw.
 */
export function decodeMessages(
  frame: Uint8Array,
  type: MessageType,
  flawed: (message: AnyMessage, flaw: string) => void,
): AnyMessage[] {
  const scanner = new Scanner(plainBytes(frame));
  if (scanner.peek() === -1) scanner.fail('empty frame');
  const messages: AnyMessage[] = [];
  do {
    if (messages.length >= frameBounds.messagesMax) scanner.fail('too many messages');
    const message = readMessage(scanner, type);
    const flaw = scanner.takeFlaw();
    if (flaw !== undefined) flawed(message, flaw);
    messages.push(message);
    if (!scanner.nextLine()) scanner.fail('expected a line break');
  } while (scanner.peek() !== -1);
  return messages;
}

function readMessage(scanner: Scanner, type: MessageType): AnyMessage {
  const message: AnyMessage = {};
  scanner.expect(OPEN);
  if (scanner.accept(CLOSE)) return withDefaults(message, type);
  let seen = 0;
  let unknown: Set<string> | undefined;
  let members = 0;
  do {
    if (++members > frameBounds.keysMax) scanner.fail('too many members');
    const field = readName(scanner, type);
    if (typeof field === 'string') {
      unknown ??= new Set();
      if (unknown.has(field)) scanner.fail('duplicate member');
      unknown.add(field);
      scanner.skip();
      continue;
    }
    if ((seen & field.bit) !== 0) scanner.fail(`duplicate member ${field.name}`);
    seen |= field.bit;
    if (scanner.acceptNull()) continue;
    const value = readField(scanner, field);
    if (value !== undefined) message[field.name] = value;
  } while (scanner.accept(COMMA));
  scanner.expect(CLOSE);
  return withDefaults(message, type);
}

/** The field that is named next, or the name where the schema has none. */
function readName(scanner: Scanner, type: MessageType): Field | string {
  scanner.peek();
  for (const field of type.fields) if (scanner.acceptLabel(field.label)) return field;
  const name = scanner.string();
  scanner.expect(COLON);
  return type.byName.get(name) ?? name;
}

function readField(scanner: Scanner, field: Field): unknown {
  if (field.type === 'map') return readMap(scanner, field.message);
  if (field.repeated) return readList(scanner, field.message as MessageType);
  switch (field.type) {
    case 'string':
      return scanner.string();
    case 'bytes':
      return scanner.raw();
    case 'bool':
      return scanner.boolean();
    case 'message':
      return readMessage(scanner, field.message as MessageType);
    default: {
      const [min, max] = integerRange(field.type);
      return scanner.integer(min, max);
    }
  }
}

function readList(scanner: Scanner, type: MessageType): AnyMessage[] {
  const list: AnyMessage[] = [];
  scanner.expect(OPEN_LIST);
  if (scanner.accept(CLOSE_LIST)) return list;
  do list.push(readMessage(scanner, type));
  while (scanner.accept(COMMA));
  scanner.expect(CLOSE_LIST);
  return list;
}

/** `type` null: values are strings. Without a prototype, so that no key can mean anything else (S12). */
function readMap(scanner: Scanner, type: MessageType | null): AnyMessage {
  const map = Object.create(null) as AnyMessage;
  const seen = new Set<string>();
  scanner.expect(OPEN);
  if (scanner.accept(CLOSE)) return map;
  do {
    const key = scanner.string();
    if (seen.has(key)) scanner.fail('duplicate member');
    if (seen.size >= frameBounds.keysMax) scanner.fail('too many members');
    seen.add(key);
    scanner.expect(COLON);
    if (scanner.acceptNull()) continue;
    map[key] = type === null ? scanner.string() : readMessage(scanner, type);
  } while (scanner.accept(COMMA));
  scanner.expect(CLOSE);
  return map;
}

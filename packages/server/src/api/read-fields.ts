import { BadFrame, frameBounds, Rejection, rejections } from '@tutti/protocol';
import type { Scanner } from '@tutti/protocol/json';
import type { FieldSpec, FieldTable } from './fields.ts';

const QUOTE = 0x22;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;

const base64Pattern = /^[A-Za-z0-9+/]*={0,2}$/;

/** Values read, keyed as in the table. Without a prototype, so that no name means anything else (S12). */
export type Read = Record<string, unknown>;

/**
 * Reads one object as the table says. A member that is null, or an empty text, is as good as absent;
 * unknown members are checked and left out; a name that comes twice is refused (S13).
 *
 * Throws `BadFrame` for what is no such JSON, naming the member, and `Rejection` for what is well
 * written and cannot be done.
 */
export function readFields(scanner: Scanner, table: FieldTable): Read {
  const read = Object.create(null) as Read;
  eachMember(scanner, (name) => {
    const spec = Object.hasOwn(table, name) ? table[name] : undefined;
    if (spec === undefined) {
      scanner.skip();
      return;
    }
    const value = readValue(scanner, name, spec);
    if (value !== undefined && value !== '') read[name] = value;
  });
  return read;
}

/** Throws `Rejection` where something is missing that is needed. After reading, so that syntax comes first. */
export function mustHave(read: Read, table: FieldTable): void {
  for (const [name, { required }] of Object.entries(table)) {
    if (required === true && read[name] === undefined) {
      throw new Rejection(rejections.badRequest, `${name} is missing or empty`);
    }
  }
}

/** Calls `member` with each name, for it to read the value. */
export function eachMember(scanner: Scanner, member: (name: string) => void): void {
  scanner.expect(OPEN);
  if (scanner.accept(CLOSE)) return;
  const seen = new Set<string>();
  do {
    if (seen.size >= frameBounds.keysMax) scanner.fail('too many members');
    const name = scanner.string();
    if (seen.has(name)) scanner.fail('a member comes twice');
    seen.add(name);
    scanner.expect(COLON);
    if (!scanner.acceptNull()) member(name);
  } while (scanner.accept(COMMA));
  scanner.expect(CLOSE);
}

/** Calls `element` once for each, for it to read the value. */
export function eachElement(scanner: Scanner, countMax: number, element: () => void): void {
  scanner.expect(OPEN_LIST);
  if (scanner.accept(CLOSE_LIST)) return;
  let count = 0;
  do {
    if (++count > countMax) throw new Rejection(rejections.limitExceeded, `more than ${countMax} elements in a list`);
    element();
  } while (scanner.accept(COMMA));
  scanner.expect(CLOSE_LIST);
}

function readValue(scanner: Scanner, name: string, spec: FieldSpec): unknown {
  try {
    return readTyped(scanner, name, spec);
  } catch (error) {
    // The scanner knows the byte, and the caller knows the name.
    if (error instanceof BadFrame && !error.message.startsWith('in '))
      throw new BadFrame(`in ${name}: ${error.message}`);
    throw error;
  }
}

function readTyped(scanner: Scanner, name: string, spec: FieldSpec): unknown {
  switch (spec.type) {
    case 'text':
      return readText(scanner, name, spec.bytesMax);
    case 'boolean':
      return scanner.boolean();
    case 'integer':
      return scanner.integer(spec.min ?? 0, spec.max ?? Number.MAX_SAFE_INTEGER);
    case 'json':
      return readPayload(scanner);
    case 'base64':
      return readBase64(scanner, name);
    case 'texts': {
      const texts: string[] = [];
      eachElement(scanner, spec.countMax, () => texts.push(mustBeText(scanner)));
      return texts;
    }
    case 'tags': {
      const tags = Object.create(null) as Record<string, string>;
      eachMember(scanner, (tag) => (tags[tag] = mustBeText(scanner)));
      return tags;
    }
    case 'object':
      return readFields(scanner, spec.fields);
    case 'refused':
      refuse(scanner, name, spec);
      return undefined;
    case 'number':
    case 'list':
    case 'map':
      throw new Error(`${spec.type} is for results only`);
  }
}

function readText(scanner: Scanner, name: string, bytesMax = 1_024): string {
  const text = mustBeText(scanner);
  if (Buffer.byteLength(text) > bytesMax) {
    throw new Rejection(rejections.badRequest, `${name} may have ${bytesMax} bytes`);
  }
  return text;
}

function mustBeText(scanner: Scanner): string {
  if (scanner.peek() !== QUOTE) scanner.fail('expected a text');
  return scanner.string();
}

function readPayload(scanner: Scanner): Uint8Array {
  const payload = scanner.raw();
  const flaw = scanner.takeFlaw();
  if (payload === undefined || flaw !== undefined) throw new BadFrame(flaw ?? 'no payload');
  return payload;
}

function readBase64(scanner: Scanner, name: string): Uint8Array | undefined {
  const text = mustBeText(scanner);
  if (text === '') return undefined;
  if (text.length % 4 !== 0 || !base64Pattern.test(text)) {
    throw new Rejection(rejections.badRequest, `${name} is not base64 (RFC 4648, with padding)`);
  }
  return Uint8Array.from(Buffer.from(text, 'base64'));
}

/** Its default changes nothing, and libraries send it. */
function refuse(scanner: Scanner, name: string, { description }: FieldSpec): void {
  const text = Buffer.from(readPayload(scanner)).toString();
  if (['""', '0', 'false', '{}', '[]'].includes(text)) return;
  throw new Rejection(rejections.notAvailable, `${name} is not available: ${description}`);
}

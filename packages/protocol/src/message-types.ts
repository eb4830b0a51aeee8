import { schema, type FieldSpec, type FieldType, type MessageName } from './schema.ts';

/** The schema with its references resolved: what the codecs walk. */
export interface Field {
  readonly name: string;
  readonly number: number;
  readonly type: FieldType;
  readonly repeated: boolean;
  readonly required: boolean;
  /** The message of a `message` field or of a map's values; null for scalars and maps of strings. */
  readonly message: MessageType | null;
  /** One bit of its own within the message, to note what was seen. */
  readonly bit: number;
  /** The member name as it stands in JSON: `"name":`. */
  readonly label: Uint8Array;
}

export interface MessageType {
  readonly name: MessageName;
  /** By ascending number. */
  readonly fields: readonly Field[];
  /** A Map, so that a name such as `constructor` finds nothing. */
  readonly byName: ReadonlyMap<string, Field>;
  /** Index is the field number. */
  readonly byNumber: readonly (Field | undefined)[];
  /** The fields a reader may rely on: set to their default where the wire has none. */
  readonly required: readonly Field[];
}

/** A decoded message while its type is known to the schema only. */
export type AnyMessage = Record<string, unknown>;

interface Building {
  name: MessageName;
  fields: Field[];
  byName: Map<string, Field>;
  byNumber: (Field | undefined)[];
  required: Field[];
}

const encoder = new TextEncoder();
const built = new Map<MessageName, Building>();

function build(name: MessageName): Building {
  const known = built.get(name);
  if (known !== undefined) return known;
  const type: Building = { name, fields: [], byName: new Map(), byNumber: [], required: [] };
  built.set(name, type);
  for (const [fieldName, spec] of Object.entries<FieldSpec>(schema[name])) {
    const field: Field = {
      name: fieldName,
      number: spec.number,
      type: spec.type,
      repeated: spec.repeated ?? false,
      required: spec.required,
      message: spec.message === undefined ? null : build(spec.message),
      bit: 1 << type.fields.length,
      label: encoder.encode(`"${fieldName}":`),
    };
    type.fields.push(field);
    type.byName.set(fieldName, field);
    type.byNumber[spec.number] = field;
    if (field.required) type.required.push(field);
  }
  return type;
}

export function messageType(name: MessageName): MessageType {
  return build(name);
}

function defaultOf(field: Field): unknown {
  if (field.repeated) return [];
  switch (field.type) {
    case 'string':
      return '';
    case 'bytes':
      return new Uint8Array(0);
    case 'bool':
      return false;
    case 'map':
      return Object.create(null) as AnyMessage;
    case 'message':
      return withDefaults({}, field.message as MessageType);
    default:
      return 0;
  }
}

/** Gives a decoded message the required fields the wire left out. Returns the same object. */
export function withDefaults(message: AnyMessage, type: MessageType): AnyMessage {
  for (const field of type.required) {
    if (message[field.name] === undefined) message[field.name] = defaultOf(field);
  }
  return message;
}

/** What fits each integer type here. Beyond 2^53 - 1 JavaScript would round, so the wire may not go there. */
const integerRanges: Partial<Record<FieldType, readonly [min: number, max: number]>> = {
  uint32: [0, 2 ** 32 - 1],
  uint64: [0, Number.MAX_SAFE_INTEGER],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
};

export function integerRange(type: FieldType): readonly [min: number, max: number] {
  return integerRanges[type] ?? [0, 0];
}

/** For encoders: a number that does not fit its field is a mistake of ours, and loud. */
export function mustFit(field: Field, value: unknown): number {
  const [min, max] = integerRange(field.type);
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    throw new RangeError(`${field.name}: ${String(value)} is not a ${field.type}`);
  }
  return value;
}

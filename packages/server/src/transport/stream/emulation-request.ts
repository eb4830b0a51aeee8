/** What a peer says on a stream that only goes the other way. */
export interface EmulationRequest {
  readonly session: string;
  readonly node: string;
  /** A frame of commands in the codec of the stream. */
  readonly data: Uint8Array;
  readonly codec: 'json' | 'protobuf';
}

/** Characters of the names of sessions and nodes, at most. Longer ones are nobody's, and no message between nodes has room for them. */
const nameLengthMax = 64;

/** Undefined where the body is no such request. Never throws. */
export function readEmulationRequest(body: Buffer, isProtobuf: boolean): EmulationRequest | undefined {
  const asked = isProtobuf ? fromProtobuf(body) : fromJson(body);
  const isPossible = asked !== undefined && Math.max(asked.session.length, asked.node.length) <= nameLengthMax;
  return isPossible ? asked : undefined;
}

/** The commands are a string in it. */
function fromJson(body: Buffer): EmulationRequest | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString());
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { session, node, data } = parsed as Record<string, unknown>;
  if (typeof session !== 'string' || typeof node !== 'string' || typeof data !== 'string') return undefined;
  return { session, node, data: Buffer.from(data), codec: 'json' };
}

const nodeField = 1;
const sessionField = 2;
const dataField = 3;
/** Wire type of all three: bytes behind their length. */
const delimited = 2;

function fromProtobuf(body: Buffer): EmulationRequest | undefined {
  const fields = new Map<number, Buffer>();
  let position = 0;
  while (position < body.length) {
    const key = varint(body, position);
    const length = key === undefined ? undefined : varint(body, key.end);
    if (key === undefined || length === undefined || key.value % 8 !== delimited) return undefined;
    position = length.end + length.value;
    if (position > body.length) return undefined;
    fields.set(Math.floor(key.value / 8), body.subarray(length.end, position));
  }
  return {
    session: (fields.get(sessionField) ?? '').toString(),
    node: (fields.get(nodeField) ?? '').toString(),
    data: fields.get(dataField) ?? Buffer.alloc(0),
    codec: 'protobuf',
  };
}

/** Of at most 28 bits: no body is longer. */
function varint(bytes: Buffer, start: number): { value: number; end: number } | undefined {
  let value = 0;
  for (let i = 0; i < 4; i += 1) {
    const byte = bytes[start + i];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return { value, end: start + i + 1 };
  }
  return undefined;
}

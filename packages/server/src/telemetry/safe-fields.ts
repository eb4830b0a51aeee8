/** Names under which a secret could stand, and the shape of a JWT wherever it stands (S29). */
const secretName = /token|secret|password|passwd|authorization|cookie|api_?key|private_?key|credential/i;
const jwtPattern = /eyJ[\w-]{4,}\.[\w-]{4,}\.[\w-]*/g;
const hidden = '[hidden]';

const depthMax = 4;
const entriesMax = 50;
const textLengthMax = 2_000;

/** A copy of what is to be logged: no secrets, no endless text, no endless depth; errors as plain fields. */
export function safeFields(fields: Record<string, unknown>): Record<string, unknown> {
  return safeObject(Object.entries(fields), 0);
}

export function safeText(text: string): string {
  const masked = text.includes('eyJ') ? text.replace(jwtPattern, hidden) : text;
  return masked.length > textLengthMax ? `${masked.slice(0, textLengthMax)}… (${masked.length} characters)` : masked;
}

function safeObject(entries: [string, unknown][], depth: number): Record<string, unknown> {
  const safe: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of entries.slice(0, entriesMax)) {
    // A count or a span about secrets is none: tokens_verified, tokenGraceMs.
    const isSecret =
      secretName.test(name) && typeof value !== 'number' && typeof value !== 'boolean' && value !== undefined;
    safe[name] = isSecret ? hidden : safeValue(value, depth);
  }
  return safe;
}

function safeValue(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string':
      return safeText(value);
    case 'bigint':
      return value.toString();
    case 'function':
    case 'symbol':
      return `[${typeof value}]`;
    case 'object':
      break;
    default:
      return value;
  }
  if (value === null) return null;
  if (depth >= depthMax) return '[deeper]';
  if (value instanceof Error) return safeError(value, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (Array.isArray(value)) return value.slice(0, entriesMax).map((item) => safeValue(item, depth + 1));
  if (value instanceof Map || value instanceof Set) return `[${value.size} entries]`;
  return safeObject(Object.entries(value), depth + 1);
}

function safeError(error: Error, depth: number): Record<string, unknown> {
  const own = Object.entries(error).filter(([name]) => name !== 'cause');
  return {
    ...safeObject(own, depth + 1),
    name: error.name,
    message: safeText(error.message),
    stack: safeText(error.stack ?? ''),
    ...(error.cause === undefined ? {} : { cause: safeValue(error.cause, depth + 1) }),
  };
}

/**
 * JSON of a result: bytes are payloads, which are JSON already and stand in it as they are, so that
 * no number is rounded on the way. Members that are undefined are left out.
 */
export function jsonText(value: unknown): string {
  if (value instanceof Uint8Array) return value.length === 0 ? 'null' : Buffer.from(value).toString();
  if (Array.isArray(value)) return `[${value.map(jsonText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const members: string[] = [];
  for (const [name, member] of Object.entries(value)) {
    if (member !== undefined) members.push(`${JSON.stringify(name)}:${jsonText(member)}`);
  }
  return `{${members.join(',')}}`;
}

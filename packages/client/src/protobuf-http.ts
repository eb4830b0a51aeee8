import type { HttpForm } from './client-codec.ts';
import { utf8 } from './platform.ts';

/** Of a request to a stream: `node`, `session`, `data`, each bytes behind their length. */
const [nodeKey, sessionKey, dataKey] = [0x0a, 0x12, 0x1a] as const;

/** Messages follow each other in the body, each behind its length. */
export const protobufHttp: HttpForm = {
  type: 'application/octet-stream',
  reader() {
    let rest = new Uint8Array();
    return (chunk) => {
      const bytes = concat([rest, chunk]);
      const end = wholeBytes(bytes);
      rest = bytes.slice(end);
      return end > 0 ? bytes.slice(0, end).buffer : undefined;
    };
  },
  envelope: (session, node, data) =>
    concat([
      ...field(nodeKey, utf8.encode(node)),
      ...field(sessionKey, utf8.encode(session)),
      ...field(dataKey, data as Uint8Array<ArrayBuffer>),
    ]),
};

/** How many bytes of the beginning are whole messages. */
function wholeBytes(bytes: Uint8Array): number {
  let end = 0;
  for (;;) {
    let length = 0;
    let position = end;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[position++];
      if (byte === undefined) return end;
      length += (byte & 127) * factor;
      if (byte < 128) break;
    }
    if (position + length > bytes.length) return end;
    end = position + length;
  }
}

function field(key: number, value: Uint8Array): Uint8Array[] {
  const head = [key];
  let length = value.length;
  for (; length > 127; length >>>= 7) head.push((length & 127) | 128);
  return [Uint8Array.from([...head, length]), value];
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let position = 0;
  for (const part of parts) {
    all.set(part, position);
    position += part.length;
  }
  return all;
}

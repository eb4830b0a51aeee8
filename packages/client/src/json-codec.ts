import type { Reply } from '@tutti/protocol';
import type { ClientCodec } from './client-codec.ts';
import { utf8 } from './platform.ts';
import { wellFormedJson } from './well-formed-json.ts';

/** One JSON object a line. Payloads are plain JSON values. */
export const jsonCodec: ClientCodec = {
  name: 'json',
  encode: wellFormedJson,
  join: (parts) => parts.join('\n'),
  sizeOf: (part) => utf8.encode(part as string).length,
  decode(frame) {
    if (typeof frame !== 'string') throw new TypeError('expected a text frame');
    return frame
      .split('\n')
      .filter((line) => line !== '')
      .map(parseReply);
  },
};

function parseReply(line: string): Reply<unknown> {
  const value: unknown = JSON.parse(line);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('expected an object');
  return value;
}

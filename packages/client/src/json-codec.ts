import type { Reply } from '@tutti/protocol';
import type { ClientCodec } from './client-codec.ts';
import { textDecoder, utf8 } from './platform.ts';
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
  http: {
    reader() {
      const decode = textDecoder();
      let rest = '';
      return (chunk) => {
        const lines = (rest + decode(chunk)).split('\n');
        rest = lines.pop()!;
        // As an event has it, or a line of its own. Whatever else a proxy, or the form, puts there is no reply.
        const replies = lines.flatMap((line) => /^(?:data: ?)?(\{.*)/.exec(line)?.[1] ?? []);
        return replies.length > 0 ? replies.join('\n') : undefined;
      };
    },
    envelope: (session, node, data) => JSON.stringify({ session, node, data }),
  },
};

function parseReply(line: string): Reply<unknown> {
  const value: unknown = JSON.parse(line);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('expected an object');
  return value;
}

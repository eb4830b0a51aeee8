import type { IncomingMessage } from 'node:http';

/** What may stand in the header of a request that is sent on: anything else would make that request impossible. */
const sendable = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Those headers of a request that hooks are shown, by lower-case name; undefined where it has none of them.
 * `names` are lower-case. Several lines of one header are joined as node:http does it.
 */
export function keptHeaders(
  { headers }: Pick<IncomingMessage, 'headers'>,
  names: readonly string[],
): Readonly<Record<string, string>> | undefined {
  let kept: Record<string, string> | undefined;
  for (const name of names) {
    const value = Object.hasOwn(headers, name) ? headers[name] : undefined;
    const text = Array.isArray(value) ? value.join(', ') : value;
    if (text === undefined || !sendable.test(text)) continue;
    kept ??= Object.create(null) as Record<string, string>;
    kept[name] = text;
  }
  return kept;
}

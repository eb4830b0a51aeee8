import type { Publication } from '@tutti/protocol';

/** Names of fields, punctuation, offset and time. */
const overheadBytes = 64;

/** About as many bytes as it takes on the wire: bounds count everything that travels, not the payload alone. */
export function publicationSize({ data, info, key, tags }: Publication): number {
  let bytes = overheadBytes + data.length + (key?.length ?? 0);
  if (info !== undefined) {
    bytes += info.user.length + info.client.length + (info.conn_info?.length ?? 0) + (info.chan_info?.length ?? 0);
  }
  for (const name in tags) bytes += name.length + (tags[name]?.length ?? 0);
  return bytes;
}

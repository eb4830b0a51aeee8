import type { Publication } from './messages.ts';

/**
 * What a publication counts against a bound in bytes: its payload, and what it carries besides as its
 * characters and bytes. Without names of fields and punctuation: those depend on the form it is sent in.
 */
export function publicationBytes(publication: Pick<Publication, 'data' | 'info' | 'tags' | 'key'>): number {
  const { data, info, tags, key } = publication;
  let bytes = data.byteLength + (key?.length ?? 0);
  if (info !== undefined) {
    bytes += info.user.length + info.client.length;
    bytes += (info.conn_info?.byteLength ?? 0) + (info.chan_info?.byteLength ?? 0);
  }
  for (const name in tags) bytes += name.length + (tags[name]?.length ?? 0);
  return bytes;
}

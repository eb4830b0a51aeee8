import type { ClientInfo, Publication } from '@tutti/protocol';
import type { PublicationDraft } from './broker.ts';

interface StoredInfo {
  user: string;
  client: string;
  conn?: string;
  chan?: string;
}

/** What is stored of a publication beside its payload, as JSON; bytes as base64. Fields are only ever added. */
interface Envelope {
  info?: StoredInfo;
  tags?: Record<string, string>;
  key?: string;
  final?: boolean;
  /** Where the wall clock jumped since the log was opened: what it said. The column has the time that age is measured by. */
  time?: number;
}

/** Null where there is nothing beside the payload. */
export function encodeEnvelope(draft: PublicationDraft, time?: number): string | null {
  const { info, tags, key, final } = draft;
  const isBare = info === undefined && tags === undefined && key === undefined && final === undefined;
  if (isBare && time === undefined) return null;
  const envelope: Envelope = {};
  if (info !== undefined) envelope.info = encodeInfo(info);
  if (tags !== undefined) envelope.tags = tags;
  if (key !== undefined) envelope.key = key;
  if (final !== undefined) envelope.final = final;
  if (time !== undefined) envelope.time = time;
  return JSON.stringify(envelope);
}

export function decodePublication(offset: number, time: number, data: Uint8Array, encoded: string | null): Publication {
  const publication: Publication = { data, offset, time };
  if (encoded === null) return publication;
  const { info, tags, key, final, time: shownTime } = JSON.parse(encoded) as Envelope;
  if (info !== undefined) publication.info = decodeInfo(info);
  if (tags !== undefined) publication.tags = tags;
  if (key !== undefined) publication.key = key;
  if (final !== undefined) publication.final = final;
  if (shownTime !== undefined) publication.time = shownTime;
  return publication;
}

function encodeInfo(info: ClientInfo): StoredInfo {
  const stored: StoredInfo = { user: info.user, client: info.client };
  if (info.conn_info !== undefined) stored.conn = toBase64(info.conn_info);
  if (info.chan_info !== undefined) stored.chan = toBase64(info.chan_info);
  return stored;
}

function decodeInfo(stored: StoredInfo): ClientInfo {
  const info: ClientInfo = { user: stored.user, client: stored.client };
  if (stored.conn !== undefined) info.conn_info = fromBase64(stored.conn);
  if (stored.chan !== undefined) info.chan_info = fromBase64(stored.chan);
  return info;
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

/** A plain array of bytes, as drafts have it: a Buffer is not deeply equal to one. */
function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}

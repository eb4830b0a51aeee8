import type { Publication } from '@tutti/protocol';
import { decodePublication, encodeEnvelope } from '../publication-envelope.ts';
import type { PublicationDraft } from '../broker.ts';

/**
 * What travels over pub/sub: one line, then envelope and payload.
 *
 *     PREVIOUS OFFSET TIME EPOCH ORIGIN TICKET ENVELOPE-BYTES\n…
 *
 * The epoch is `-` where the publication is kept nowhere. Origin and ticket tell a node its own ones.
 * The publish script writes the same line.
 */
export interface LiveMessage {
  readonly publication: Publication;
  readonly epoch: string;
  readonly previousOffset: number;
  readonly origin: string;
  readonly ticket: number;
}

const lineBytesMax = 512;
const linePattern = /^(\d{1,16}) (\d{1,16}) (\d{1,16}) (-|[\w.-]{1,128}) ([\w-]{1,64}) (\d{1,16}) (\d{1,9})$/;

export function encodePassing(draft: PublicationDraft, time: number, origin: string, ticket: number): Buffer {
  const envelope = Buffer.from(encodeEnvelope(draft) ?? '');
  const line = Buffer.from(`0 0 ${Math.floor(time)} - ${origin} ${ticket} ${envelope.length}\n`);
  return Buffer.concat([line, envelope, draft.data]);
}

/** Undefined for what no node has sent: bytes on the bus are data of a stranger (S25). Throws nothing. */
export function decodeLive(message: Uint8Array): LiveMessage | undefined {
  const end = message.subarray(0, lineBytesMax).indexOf(10);
  const line = linePattern.exec(latin1(message, 0, Math.max(0, end)));
  if (line === null) return undefined;
  const [, previous, offset, time, epoch = '', origin = '', ticket, envelopeBytes] = line;
  const bodyAt = end + 1;
  const dataAt = bodyAt + Number(envelopeBytes);
  if (dataAt > message.length) return undefined;
  try {
    const envelope = dataAt === bodyAt ? null : Buffer.from(message.subarray(bodyAt, dataAt)).toString();
    if (envelope !== null && !isEnvelope(JSON.parse(envelope))) return undefined;
    const publication = decodePublication(Number(offset), Number(time), message.subarray(dataAt), envelope);
    if (epoch === '-') delete publication.offset;
    const previousOffset = Number(previous);
    return { publication, epoch: epoch === '-' ? '' : epoch, previousOffset, origin, ticket: Number(ticket) };
  } catch {
    return undefined;
  }
}

/** Of the shape that `encodeEnvelope` writes: what is encoded for clients later must not be anything else. */
function isEnvelope(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { info, tags, key, final, time } = value;
  return (
    (info === undefined || isInfo(info)) &&
    (tags === undefined || (isRecord(tags) && Object.values(tags).every((tag) => typeof tag === 'string'))) &&
    (key === undefined || typeof key === 'string') &&
    (final === undefined || typeof final === 'boolean') &&
    (time === undefined || typeof time === 'number')
  );
}

function isInfo(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const { user, client, conn = '', chan = '' } = value;
  return [user, client, conn, chan].every((each) => typeof each === 'string');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
}

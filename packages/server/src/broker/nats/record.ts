import type { Publication } from '@tutti/protocol';
import type { PublicationDraft } from '../broker.ts';
import { decodePublication, encodeEnvelope } from '../publication-envelope.ts';

/**
 * One message in NATS: publications that were appended together, or a marker without any, which keeps the
 * position of a channel whose publications are gone.
 *
 * Offsets are our own and grow by one; a stream counts all its subjects together. As every record is
 * appended only behind the record that its writer saw last, the offsets need no other authority.
 */
export interface LogRecord {
  /** Chosen by the writer: tells its record from another's when an outcome was unknown. */
  readonly id: string;
  /** Where it was published with an idempotency key and an expected position: a hash of the key. */
  readonly keyId?: string;
  /** Empty: kept nowhere, without offsets. */
  readonly epoch: string;
  /** Offset of the publication before it. */
  readonly previous: number;
  /** Offset of the oldest publication that may still be read. */
  readonly floor: number;
  /** Milliseconds a publication is kept, as of this record. */
  readonly ttlMs: number;
  readonly publications: readonly RecordPublication[];
}

export interface RecordPublication {
  readonly time: number;
  readonly envelope: string | null;
  readonly data: Uint8Array;
}

/** The head as JSON. Fields are only ever added. */
interface Head {
  v: 1;
  i: string;
  k?: string;
  e: string;
  o: number;
  f: number;
  ttl: number;
  /** Time, bytes of the payload, envelope. */
  p: [number, number, string | null][];
}

/** What a record weighs beside its payloads and envelopes, at most. */
export const recordOverheadBytes = 1_024;
export const publicationOverheadBytes = 64;

const utf8 = new TextDecoder('utf-8', { fatal: true });

export function toRecordPublication(draft: PublicationDraft, time: number): RecordPublication {
  return { time, envelope: encodeEnvelope(draft), data: draft.data };
}

/** Four bytes with the length of the head, the head, the payloads one after the other. */
export function encodeRecord(record: LogRecord): Uint8Array {
  const { id, keyId, epoch, previous, floor, ttlMs, publications } = record;
  const head: Head = {
    ...(keyId === undefined ? {} : { k: keyId }),
    ...{ v: 1, i: id, e: epoch, o: previous, f: floor, ttl: ttlMs },
    p: publications.map(({ time, data, envelope }) => [time, data.byteLength, envelope]),
  };
  const text = Buffer.from(JSON.stringify(head));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(text.length);
  return Buffer.concat([length, text, ...publications.map(({ data }) => data)]);
}

/** Throws where the bytes are no record: anybody with rights in NATS can put anything there (S25). */
export function decodeRecord(bytes: Uint8Array): LogRecord {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  must(view.length >= 4);
  const start = 4 + view.readUInt32BE(0);
  must(start <= view.length);
  const head = JSON.parse(utf8.decode(view.subarray(4, start))) as Partial<Head> | null;
  must(typeof head === 'object' && head !== null && head.v === 1);
  const { i: id, k: keyId, e: epoch, o: previous, f: floor, ttl: ttlMs, p } = head;
  must(typeof id === 'string' && typeof epoch === 'string' && isCount(previous) && isCount(floor));
  must(keyId === undefined || typeof keyId === 'string');
  must(typeof ttlMs === 'number' && ttlMs >= 0 && Array.isArray(p));
  let at = start;
  const publications = p.map((row: unknown): RecordPublication => {
    must(Array.isArray(row));
    const [time, length, envelope] = row as readonly unknown[];
    must(typeof time === 'number' && isCount(length) && at + length <= view.length);
    must(envelope === null || typeof envelope === 'string');
    at += length;
    // A copy: a view would keep the whole read of the socket in memory.
    return { time, envelope, data: new Uint8Array(view.subarray(at - length, at)) };
  });
  must(at === view.length);
  return { id, ...(keyId === undefined ? {} : { keyId }), epoch, previous, floor, ttlMs, publications };
}

export function topOf({ previous, publications }: LogRecord): number {
  return previous + publications.length;
}

/** The publications of a record with their offsets. Throws where an envelope is none. */
export function publicationsOf({ epoch, previous, publications }: LogRecord): Publication[] {
  return publications.map(({ time, envelope, data }, i) => {
    const publication = decodePublication(previous + i + 1, time, data, envelope);
    if (epoch === '') delete publication.offset;
    return publication;
  });
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function must(holds: boolean): asserts holds {
  if (!holds) throw new Error('this is no record of a channel');
}

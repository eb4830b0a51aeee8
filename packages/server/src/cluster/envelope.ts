import { createHmac, timingSafeEqual } from 'node:crypto';
import { bodyBytesMax, controlMessageBytesMax, isNodeName } from './control-bus.ts';
import { BadMessage, MessageFields } from './message-fields.ts';
import type { Peer } from './peers.ts';

/**
 * What stands around every message between nodes: who sent it, in which order, for whom, about what. Layout:
 * version (1 byte), flags (1 byte), length of the header (2 bytes, big-endian), header as JSON, body,
 * and 32 bytes of HMAC-SHA256 over all before it where the cluster has a secret (S25).
 */
export interface Envelope {
  readonly from: Peer;
  /** Grows with each message of an incarnation. */
  readonly sequence: number;
  /** Incarnation that it is for; absent: everybody. Signed with the rest, so that nobody can send it on to another. */
  readonly to?: string;
  readonly topic: string;
  readonly kind: 'tell' | 'ask' | 'answer';
  /** Of a question and its answers. */
  readonly question?: string;
  /** Of a long answer: which part, counted from 0, of how many. */
  readonly part?: number;
  readonly parts?: number;
}

export interface Opened {
  readonly envelope: Envelope;
  readonly body: Uint8Array;
}

const version = 1;
const signedFlag = 1;
const prefixBytes = 4;
const macBytes = 32;
const headerBytesMax = 900;
const idLengthMax = 64;
const partsMax = 64;
/** A secret that is also used for something else signs nothing that could be taken for this. */
const purpose = 'tutti control message 1\n';

/** `key`: empty for a cluster without a secret. */
export function sealEnvelope(envelope: Envelope, body: Uint8Array, key: string): Uint8Array {
  const header = Buffer.from(JSON.stringify(envelope));
  if (header.length > headerBytesMax || body.length > bodyBytesMax) throw new Error('a control message is too large');
  const prefix = Buffer.from([version, key === '' ? 0 : signedFlag, header.length >> 8, header.length & 0xff]);
  if (key === '') return Buffer.concat([prefix, header, body]);
  return Buffer.concat([prefix, header, body, macOf([prefix, header, body], key)]);
}

/** Throws `BadMessage`; nothing of a message is looked at before its signature was checked. */
export function openEnvelope(bytes: Uint8Array, key: string): Opened {
  const message = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (message.length < prefixBytes || message.length > controlMessageBytesMax) throw new BadMessage('size');
  if (message[0] !== version) throw new BadMessage('version');
  const isSigned = message[1] === signedFlag;
  if (isSigned !== (key !== '')) throw new BadMessage('signature');
  const end = message.length - (isSigned ? macBytes : 0);
  if (isSigned) {
    const told = message.subarray(Math.max(0, end));
    if (end < prefixBytes || !timingSafeEqual(told, macOf([message.subarray(0, end)], key)))
      throw new BadMessage('signature');
  }
  const headerEnd = prefixBytes + message.readUInt16BE(2);
  if (headerEnd > end || headerEnd > prefixBytes + headerBytesMax) throw new BadMessage('size');
  return {
    envelope: readEnvelope(message.subarray(prefixBytes, headerEnd)),
    body: message.subarray(headerEnd, end),
  };
}

function readEnvelope(header: Buffer): Envelope {
  const fields = new MessageFields(parsed(header));
  const from = fields.fields('from');
  const peer = { name: from.text('name'), incarnation: id(from, 'incarnation') };
  if (!isNodeName(peer.name)) throw new BadMessage('form');
  const kind = fields.text('kind');
  if (kind !== 'tell' && kind !== 'ask' && kind !== 'answer') throw new BadMessage('form');
  const to = fields.optional('to', () => id(fields, 'to'));
  const question = fields.optional('question', () => id(fields, 'question'));
  if ((kind === 'tell') !== (question === undefined)) throw new BadMessage('form');
  const part = fields.optional('part', () => fields.count('part')) ?? 0;
  const parts = fields.optional('parts', () => fields.count('parts')) ?? 1;
  if (parts > partsMax || part >= parts) throw new BadMessage('form');
  return {
    from: peer,
    sequence: fields.count('sequence'),
    topic: id(fields, 'topic'),
    kind,
    part,
    parts,
    ...(to === undefined ? {} : { to }),
    ...(question === undefined ? {} : { question }),
  };
}

/** The value of a body. Throws `BadMessage`. */
export function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()) as unknown;
  } catch {
    throw new BadMessage('form');
  }
}

function id(fields: MessageFields, name: string): string {
  const value = fields.text(name);
  if (value === '' || value.length > idLengthMax) throw new BadMessage('form');
  return value;
}

function macOf(pieces: readonly Uint8Array[], key: string): Buffer {
  const mac = createHmac('sha256', key).update(purpose);
  for (const piece of pieces) mac.update(piece);
  return mac.digest();
}

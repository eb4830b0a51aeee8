import { createHash } from 'node:crypto';

/**
 * Names in NATS. A stream holds one namespace; a channel is one subject of it:
 *
 *     tutti.log.chat.chat=3Aroom-1    what is appended; stored by the stream tutti_chat
 *     tutti.live.chat.chat=3Aroom-1   what the stream says after storing, and publications that are kept nowhere
 *     tutti.key.3q2-7w…               idempotency keys of publications that are kept nowhere
 *     tutti.revocation.k9-Xq…         what was revoked, a message each; stored by the stream tutti-revocations
 *     tutti.seen.user.8fUq…           when a user was last connected; stored by the stream tutti-last-seen
 *     tutti.seen.node.3q2-7w…         when a node last said that it lives; stored there, too
 */
export interface Names {
  stream(namespace: string): string;
  log(namespace: string, channel: string): string;
  /** Of all channels of the namespace. */
  logs(namespace: string): string;
  live(namespace: string, channel: string): string;
  /** Where what came in on `logs` is said again. */
  lives(namespace: string): string;
  key(channel: string, key: string): string;
  readonly keys: string;
  readonly keyStream: string;
  readonly revocations: {
    readonly stream: string;
    readonly entry: (hash: string) => string;
    readonly entries: string;
    /** Says that there is a new one. */
    readonly hints: string;
  };
  readonly lastSeen: {
    readonly stream: string;
    readonly user: (hash: string) => string;
    readonly node: (node: string) => string;
    readonly all: string;
  };
}

/** Bytes of a written-out channel name. Longer ones are named by their hash; a subject has to fit a line of 4 KiB. */
const tokenBytesMax = 900;
const plain = /^[A-Za-z0-9_-]$/;

export function namesOf(word: string): Names {
  const prefix = token(word);
  return {
    stream: (namespace) => `${prefix}_${token(namespace)}`,
    log: (namespace, channel) => `${prefix}.log.${token(namespace)}.${token(channel)}`,
    logs: (namespace) => `${prefix}.log.${token(namespace)}.*`,
    live: (namespace, channel) => `${prefix}.live.${token(namespace)}.${token(channel)}`,
    lives: (namespace) => `${prefix}.live.${token(namespace)}.{{wildcard(1)}}`,
    key: (channel, key) => `${prefix}.key.${keyHash(channel, key)}`,
    keys: `${prefix}.key.*`,
    keyStream: `${prefix}-keys`,
    revocations: {
      stream: `${prefix}-revocations`,
      entry: (hash) => `${prefix}.revocation.${hash}`,
      entries: `${prefix}.revocation.*`,
      hints: `${prefix}.revoked`,
    },
    lastSeen: {
      stream: `${prefix}-last-seen`,
      user: (hash) => `${prefix}.seen.user.${hash}`,
      node: (node) => `${prefix}.seen.node.${token(node)}`,
      all: `${prefix}.seen.*.*`,
    },
  };
}

/**
 * One token of a subject for any text: letters, digits, - and _ stay, every other byte of its UTF-8 becomes `=XX`. Two
 * texts never share one: `=` itself is always written out, and a hash begins with `==`, which no byte is written as.
 */
export function token(text: string): string {
  let written = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const letter = String.fromCharCode(byte);
    written += plain.test(letter) ? letter : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  if (written.length <= tokenBytesMax && written !== '') return written;
  return `==${createHash('sha256').update(text).digest('base64url')}`;
}

/** Of a channel and a key together; the length keeps `ab`+`c` and `a`+`bc` apart. */
export function keyHash(channel: string, key: string): string {
  return createHash('sha256')
    .update(`${Buffer.byteLength(channel)}:${channel}:${key}`)
    .digest('base64url');
}

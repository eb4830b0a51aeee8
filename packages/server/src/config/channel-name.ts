import { Rejection, rejections } from '@tutti/protocol';

// Most names: printable ASCII without space and `*`. Needs no Unicode checks, and a byte is a character.
const plainName = /^[!-)+-~]+$/;
// Cc: control characters, NUL among them. Zl, Zp: line and paragraph separators, which break a log line.
const controlCharacter = /[\p{Cc}\p{Zl}\p{Zp}]/u;

/** Names a namespace may have. */
export const namespacePattern: RegExp = /^[a-z0-9_-]{1,64}$/;
/** Namespace of channels whose name has no colon. */
export const defaultNamespace = 'default';

/**
 * The one form of a channel name (S10). Nothing is rewritten: a name that is not canonical is
 * refused, so the string that was checked is the very string that is used, and that the client knows.
 *
 * `name` is whatever the peer sent. Throws `Rejection` badRequest with the reason.
 */
export function canonicalChannel(name: unknown, lengthMax: number): string {
  if (typeof name !== 'string') throw new Rejection(rejections.badRequest, 'the channel name must be a string');
  const problem = channelProblem(name, lengthMax);
  if (problem !== undefined) throw new Rejection(rejections.badRequest, problem);
  return name;
}

/** Why this is no channel name; undefined where it is one. Does not repeat the name, which may be hostile text. */
export function channelProblem(name: string, lengthMax: number): string | undefined {
  if (name === '') return 'the channel name is empty';
  // A UTF-16 unit is at least one byte of UTF-8, so this also bounds the work of what follows.
  if (name.length > lengthMax) return tooLong(lengthMax);
  if (!plainName.test(name)) {
    const problem = unusualNameProblem(name, lengthMax);
    if (problem !== undefined) return problem;
  }
  return segmentProblem(name);
}

/** The part before the first colon, or `default`. Of a canonical name. */
export function namespaceOf(channel: string): string {
  const colon = channel.indexOf(':');
  return colon < 0 ? defaultNamespace : channel.slice(0, colon);
}

function unusualNameProblem(name: string, lengthMax: number): string | undefined {
  // First: later steps, and UTF-8, would turn lone surrogates into U+FFFD and make two names one.
  if (!name.isWellFormed()) return 'the channel name contains half of a surrogate pair';
  if (Buffer.byteLength(name) > lengthMax) return tooLong(lengthMax);
  if (controlCharacter.test(name)) return 'the channel name contains a control character';
  if (name.includes('*')) return "the channel name contains '*', which is kept for patterns in capabilities";
  if (name.trim() !== name) return 'the channel name begins or ends with white space';
  if (name.normalize('NFC') !== name) return 'the channel name is not in Unicode normal form C: send name.normalize()';
  return undefined;
}

function segmentProblem(name: string): string | undefined {
  const colon = name.indexOf(':');
  if (colon < 0) return undefined;
  if (!namespacePattern.test(name.slice(0, colon))) {
    return 'the namespace before the first colon must be 1 to 64 of the characters a-z 0-9 _ -';
  }
  if (name.endsWith(':') || name.includes('::')) return 'the channel name has an empty part between or after colons';
  return undefined;
}

function tooLong(lengthMax: number): string {
  return `the channel name is longer than ${lengthMax} bytes`;
}

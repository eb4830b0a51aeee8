import type { Capability, Verb } from './authenticator.ts';

/**
 * So that a personal channel `NAMESPACE:user` fits a channel name, whatever the namespace:
 * 64 + 1 + 190 bytes are 255.
 */
export const userBytesMax = 190;

// Long names are Tutti's; the short ones are what existing backends of this protocol write.
const verbs: ReadonlyMap<unknown, Verb> = new Map<unknown, Verb>([
  ['subscribe', 'subscribe'],
  ['sub', 'subscribe'],
  ['publish', 'publish'],
  ['pub', 'publish'],
  ['history', 'history'],
  ['hst', 'history'],
  ['presence', 'presence'],
  ['prs', 'presence'],
]);

/** Makes the error that is thrown; it is told which member is not as it must be, as the end of a sentence. */
export type Fail = (problem: string) => Error;

/** The name of a user, from a token or the application. Empty: anonymous. `what` names where it stands. */
export function readUser(user: unknown, what: string, fail: Fail): string {
  if (typeof user !== 'string') throw fail(`${what} must be a string`);
  if (!user.isWellFormed() || /\p{Cc}/u.test(user))
    throw fail(`${what} contains a control character or half of a surrogate pair`);
  if (Buffer.byteLength(user) > userBytesMax) throw fail(`${what} is longer than ${userBytesMax} bytes`);
  return user;
}

/** A list of `{channels, allow}`. */
export function readCapabilities(caps: unknown, what: string, fail: Fail): Capability[] {
  if (!Array.isArray(caps)) throw fail(`${what} must be a list`);
  return caps.map((cap: unknown) => {
    if (typeof cap !== 'object' || cap === null || Array.isArray(cap))
      throw fail(`each of ${what} must be {channels, allow}`);
    const { channels, allow } = cap as { channels?: unknown; allow?: unknown };
    return {
      channels: readTexts(channels, `${what}.channels`, fail),
      allow: readTexts(allow, `${what}.allow`, fail).map((word) => {
        const verb = verbs.get(word);
        if (verb === undefined) throw fail(`${what}.allow may hold subscribe, publish, history and presence`);
        return verb;
      }),
    };
  });
}

/** A list of texts, none of them empty. */
export function readTexts(value: unknown, what: string, fail: Fail): string[] {
  if (!Array.isArray(value)) throw fail(`${what} must be a list`);
  return value.map((item: unknown) => {
    if (typeof item !== 'string' || item === '') throw fail(`${what} must hold non-empty strings`);
    return item;
  });
}

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Rejection, rejections } from '@tutti/protocol';
import type { ApiKey } from '../config/api-key.ts';
import { matchesPattern } from '../config/channel-pattern.ts';

/** The keys of a node, by hash: no comparison takes longer the more of a key is guessed. */
export class ApiKeys {
  readonly #keys: readonly { readonly hash: Buffer; readonly key: ApiKey }[];

  constructor(keys: readonly ApiKey[]) {
    this.#keys = keys.map((key) => ({ hash: hashOf(key.key), key }));
  }

  get isEmpty(): boolean {
    return this.#keys.length === 0;
  }

  /** All are compared, whichever fits. */
  find(presented: string): ApiKey | undefined {
    const hash = hashOf(presented);
    let found: ApiKey | undefined;
    for (const each of this.#keys) if (timingSafeEqual(hash, each.hash)) found = each.key;
    return found;
  }
}

/** Rights that concern no channel: a key bound to channels has them only where it names them. */
const rightsWithoutChannel: readonly string[] = [
  ...['disconnect', 'refresh', 'revoke', 'connections', 'info', 'console', 'metrics'],
  ...['last_seen', 'last_seen_remove'],
];

/** What they open is of all tenants together. */
const rightsOfAll: readonly string[] = ['info', 'console', 'metrics'];

export function mayCall({ allow, channels, tenant }: ApiKey, right: string): boolean {
  if (tenant !== undefined && tenant !== '' && rightsOfAll.includes(right)) return false;
  if (allow.includes(right)) return true;
  return allow.includes('*') && (channels === undefined || !rightsWithoutChannel.includes(right));
}

/** The key that a request carries. */
export function presentedKey({ headers }: IncomingMessage): string | undefined {
  const own = headers['x-api-key'];
  if (typeof own === 'string' && own !== '') return own;
  return /^apikey +(\S+)$/i.exec((headers.authorization ?? '').slice(0, 1_024))?.[1];
}

/** What a key is worth that is shown elsewhere than to the server API. */
export function judgeKeys(
  keys: readonly ApiKey[],
  right: string,
): (presented: string) => 'unknown' | 'forbidden' | 'allowed' {
  const all = new ApiKeys(keys);
  return (presented) => {
    const key = all.find(presented);
    if (key === undefined) return 'unknown';
    return mayCall(key, right) ? 'allowed' : 'forbidden';
  };
}

/** The string that is asked is the one that is used afterwards (S10): a name that is not canonical is refused there. */
export function mayUse({ channels }: ApiKey, channel: string): boolean {
  return channels === undefined || channels.some((pattern) => matchesPattern(pattern, channel));
}

/** Throws `Rejection`. */
export function mustMayUse(key: ApiKey, channel: string): void {
  if (mayUse(key, channel)) return;
  throw new Rejection(rejections.permissionDenied, `permission denied: the channel is none of key "${key.name}"`);
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

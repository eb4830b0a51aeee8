import { createHash, timingSafeEqual } from 'node:crypto';
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

/** Methods that concern users and not channels: a key bound to channels has them only where it names them. */
const methodsWithoutChannel: readonly string[] = [
  ...['disconnect', 'refresh', 'revoke', 'connections', 'info'],
  ...['last_seen', 'last_seen_remove'],
];

export function mayCall({ allow, channels, tenant }: ApiKey, method: string): boolean {
  // The node's figures are of all tenants together.
  if (tenant !== undefined && tenant !== '' && method === 'info') return false;
  if (allow.includes(method)) return true;
  return allow.includes('*') && (channels === undefined || !methodsWithoutChannel.includes(method));
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

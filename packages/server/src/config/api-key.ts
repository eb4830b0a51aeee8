/** A key of the server API, and what it opens. */
export interface ApiKey {
  /** Told in metrics and messages; says nothing of the key. */
  readonly name: string;
  readonly key: string;
  /** Rights: methods, `console`, `metrics`; `*`: all, where `channels` is given all that name a channel. */
  readonly allow: readonly string[];
  /** Names, or beginnings and `*`. Absent: every channel. */
  readonly channels?: readonly string[];
  /** The key opens this tenant alone; empty: the operator's own space. Absent: each call says which. */
  readonly tenant?: string;
}

/** The methods that `allow` may name. A batch needs no right of its own: each of its commands does. */
export const apiMethodNames = [
  'publish',
  'broadcast',
  'subscribe',
  'unsubscribe',
  'disconnect',
  'refresh',
  'revoke',
  'presence',
  'presence_stats',
  'last_seen',
  'last_seen_remove',
  'history',
  'history_remove',
  'channels',
  'connections',
  'info',
] as const;

/** All that `allow` may name, besides `*`. `console`, `metrics`: open the figures of the nodes, as a page and for Prometheus. */
export const apiRightNames = [...apiMethodNames, 'console', 'metrics'] as const;

export type ApiRightName = (typeof apiRightNames)[number];
export type ApiMethodName = (typeof apiMethodNames)[number];

export const apiKeysMax = 64;
export const apiKeyBytesMin = 24;
const apiKeyBytesMax = 512;
const namePattern = /^[A-Za-z0-9_.-]{1,64}$/;

/** What is wrong with a name or a key, and what to do; undefined where nothing is. Never says the key itself. */
export function apiKeyProblem({ name, key }: Pick<ApiKey, 'name' | 'key'>): string | undefined {
  if (!namePattern.test(name)) return 'name must be 1 to 64 of the characters A-Z a-z 0-9 _ . -';
  // What an HTTP header carries unchanged everywhere.
  if (!/^[!-~]*$/.test(key)) return 'key must be printable ASCII without spaces: make one with `openssl rand -hex 32`';
  if (key.length >= apiKeyBytesMin && key.length <= apiKeyBytesMax) return undefined;
  return `key has ${key.length} characters and needs ${apiKeyBytesMin} to ${apiKeyBytesMax}: make one with \`openssl rand -hex 32\``;
}

import type { OptionTable } from '../option-spec.ts';
import { MiB } from './units.ts';

/** The server API for backends. */
export const apiOptions = {
  apiKeys: {
    type: 'apiKeys',
    default: [],
    secret: true,
    since: '0.1',
    description:
      'Keys of the server API: a list of `{name, key, allow}` or `{name, keyFile, allow}`. `allow`: methods (`["publish", "history"]`), `console`, `metrics`, or `"*"` for all. With `channels` (names, or beginnings with `*` at the end) a key opens those alone; with `tenant`, that tenant alone. Empty: the API is closed.',
  },
  apiBodyBytesMax: {
    type: 'size',
    default: '1MiB',
    min: 1024,
    max: 16 * MiB,
    since: '0.1',
    description: 'Largest body of a request to the server API.',
  },
  apiKeyRateMax: {
    type: 'integer',
    default: 0,
    min: 0,
    max: 1_000_000,
    unit: 'requests a second',
    since: '0.1',
    description:
      'Requests to the server API with one key a second on this node, in the long run; twice as many at once. More get 429 with `Retry-After`. A batch is one request. `0`: any.',
  },
  apiFailuresMax: {
    type: 'integer',
    default: 5,
    min: 0,
    max: 1_000_000,
    unit: 'requests a minute',
    since: '0.1',
    description:
      'Unknown API keys that one address may send a minute. After that it gets 429 with `Retry-After`, whatever key it sends. Loopback addresses are exempt; behind a proxy set `trustedProxies`, or all callers share its address. `0`: any.',
  },
  apiRequestsMax: {
    type: 'integer',
    default: 256,
    min: 1,
    max: 100_000,
    unit: 'requests',
    since: '0.1',
    description:
      'Requests to the server API that are read or answered at the same time. More get 503 with `Retry-After`.',
  },
} as const satisfies OptionTable;

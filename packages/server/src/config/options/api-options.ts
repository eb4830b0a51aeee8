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
      'Keys of the server API: a list of `{name, key, allow}` or `{name, keyFile, allow}`. `allow`: methods (`["publish", "history"]`) or `"*"`. With `channels` (names, or beginnings with `*` at the end) a key opens those alone; with `tenant`, that tenant alone. Empty: the API is closed.',
  },
  apiBodyBytesMax: {
    type: 'size',
    default: '1MiB',
    min: 1024,
    max: 16 * MiB,
    since: '0.1',
    description: 'Largest body of a request to the server API.',
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

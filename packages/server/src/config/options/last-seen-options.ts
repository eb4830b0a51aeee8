import type { OptionTable } from '../option-spec.ts';
import { hour } from './units.ts';

/** What is kept of users who are not connected. */
export const lastSeenOptions = {
  lastSeenTtl: {
    type: 'duration',
    default: '90d',
    min: 0,
    max: 10 * 365 * 24 * hour,
    since: '0.1',
    description:
      'How long it is kept when a user was last connected; at least `1h`, the same on all nodes. Kept where the engine is; with the embedded one in `dataDir` if a namespace is durable, else in memory. `0`: it is not kept at all.',
  },
  lastSeenMax: {
    type: 'integer',
    default: 100_000,
    min: 100,
    max: 100_000_000,
    unit: 'users',
    since: '0.1',
    description:
      'Users of whom it is kept. Of more, those are forgotten who came or went longest ago. The same on all nodes.',
  },
} as const satisfies OptionTable;

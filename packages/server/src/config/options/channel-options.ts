import type { OptionTable } from '../option-spec.ts';
import { hour, MiB } from './units.ts';

/** Channels, and what is kept of them. */
export const channelOptions = {
  recoveryPageMax: {
    type: 'integer',
    default: 300,
    min: 1,
    max: 1_000,
    unit: 'publications',
    since: '0.1',
    description: 'Publications in one page of a recovery.',
  },
  historyPageMax: {
    type: 'integer',
    default: 300,
    min: 1,
    max: 1_000,
    unit: 'publications',
    since: '0.1',
    description: 'Publications in one answer to a history request.',
  },
  channelLengthMax: {
    type: 'integer',
    default: 255,
    min: 16,
    max: 255,
    unit: 'bytes',
    since: '0.1',
    description: 'Length of a channel name.',
  },
  memoryHistoryBytesMax: {
    type: 'size',
    default: '512MiB',
    min: MiB,
    max: 1024 * 1024 * MiB,
    since: '0.1',
    description:
      'Publications that channels which are not durable keep in memory, 256 bytes added for each. Beyond it the channels longest without a publication forget theirs.',
  },
  idempotencyWindow: {
    type: 'duration',
    default: '24h',
    min: 1_000,
    max: 30 * 24 * hour,
    since: '0.1',
    description: 'A publish repeated with the same idempotency key within this time takes effect once.',
  },
  namespaces: {
    type: 'namespaces',
    default: [],
    since: '0.1',
    description: 'The namespaces by name. A channel whose namespace is not here does not exist.',
  },
} as const satisfies OptionTable;

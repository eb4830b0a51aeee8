import type { OptionTable } from '../option-spec.ts';
import { hour, MiB } from './units.ts';

/** What a node tells other servers of what happens on it. */
export const webhookOptions = {
  webhooks: {
    type: 'webhooks',
    default: [],
    secret: true,
    since: '0.1',
    description:
      'Servers that are told what happens here: a list of `{name, url, secret, events, namespaces?, batchMax?, batchDelay?}`. `events`: `"*"` or some of `connected`, `disconnected`, `subscribed`, `unsubscribed`, `occupied`, `vacated`, `published`. `secrets` (two) or `secretFile` may stand for `secret`. See [the guide](../guides/webhooks.md).',
  },
  webhookNetworks: {
    type: 'list',
    default: [],
    since: '0.1',
    description:
      'Addresses and networks that webhooks may reach although they are not public, and by plain `http`: `127.0.0.0/8` for development, `10.1.2.0/24` for a backend beside the node. Link-local and metadata addresses are refused in any case.',
  },
  webhookTimeout: {
    type: 'duration',
    default: '5s',
    min: 100,
    max: 60_000,
    since: '0.1',
    description: 'A webhook request that takes longer has failed, and is made again.',
  },
  webhookQueueBytesMax: {
    type: 'size',
    default: '8MiB',
    min: 64 * 1024,
    max: 1024 * MiB,
    since: '0.1',
    description:
      'Events that wait for one webhook, in memory and in the data folder. Beyond it the oldest go to the file of dead letters.',
  },
  webhookRetryTime: {
    type: 'duration',
    default: '15m',
    min: 1_000,
    max: 24 * hour,
    since: '0.1',
    description: 'While a webhook fails, an event is offered for so long before it goes to the file of dead letters.',
  },
  webhookDeadLettersBytesMax: {
    type: 'size',
    default: '64MiB',
    min: MiB,
    max: 1024 * 1024 * MiB,
    since: '0.1',
    description: 'Dead letters kept of one webhook, in two files. Beyond it the older file is given up.',
  },
  webhookDrainTime: {
    type: 'duration',
    default: '3s',
    min: 0,
    max: 60_000,
    since: '0.1',
    description:
      'How long a node that stops goes on delivering events. What is left then stays in the data folder, for the next start.',
  },
} as const satisfies OptionTable;

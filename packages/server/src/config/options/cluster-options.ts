import type { OptionTable } from '../option-spec.ts';

/** How the nodes of a cluster know each other. Of no effect with the embedded engine. */
export const clusterOptions = {
  clusterSecret: {
    type: 'text',
    default: '',
    secret: true,
    since: '0.1',
    description:
      'Signs what the nodes of a cluster tell each other; the same on all of them, at least 32 bytes. A node with it believes nothing that is not signed with it. Empty: whoever can write to the engine is believed.',
  },
  nodeLease: {
    type: 'duration',
    default: '10s',
    min: 2_000,
    max: 120_000,
    since: '0.1',
    description:
      'A node that the others did not hear for so long is gone, and its members leave their channels. Nodes beat five times as often. The same on all of them.',
  },
} as const satisfies OptionTable;

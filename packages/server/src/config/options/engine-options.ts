import type { OptionTable } from '../option-spec.ts';

/** Of engines that nodes share. Of no effect with the embedded engine. */
export const engineOptions = {
  enginePrefix: {
    type: 'text',
    default: 'tutti',
    since: '0.1',
    description:
      'Beginning of every name in the engine: the same on all nodes of a cluster, another for each installation that shares the engine.',
  },
  engineReplicas: {
    type: 'integer',
    default: 0,
    min: 0,
    max: 10,
    unit: 'replicas',
    since: '0.1',
    description:
      'Replicas of the engine that must have a publication of a durable channel before it is acknowledged; without them the publish gets a temporary error. Redis: `WAIT`. NATS: copies that it keeps of each log, `0` for three in a cluster of servers and one without.',
  },
  allowWeakEngine: {
    type: 'boolean',
    default: false,
    since: '0.1',
    description:
      'Durable channels are accepted on an engine that does not keep on disk what it acknowledges (Redis), or keeps a single copy in a cluster of servers (NATS); and channels in a stream whose bounds forget before their time (NATS). Without it the node refuses to start there.',
  },
  engineCredentialsFile: {
    type: 'text',
    default: '',
    since: '0.1',
    description:
      'File with the JWT and seed of a NATS user (`.creds`), or with the seed of its nkey alone. Empty: none.',
  },
  engineCaFile: {
    type: 'text',
    default: '',
    since: '0.1',
    description:
      'PEM file with the authority that signed the certificates of the engine (NATS; Redis with `rediss`). Empty: those that Node trusts.',
  },
  engineCertFile: {
    type: 'text',
    default: '',
    since: '0.1',
    description: 'PEM file with the certificate that this node shows to the engine. Empty: none.',
  },
  engineKeyFile: {
    type: 'text',
    default: '',
    since: '0.1',
    description: 'PEM file with the key of `engineCertFile`.',
  },
} as const satisfies OptionTable;

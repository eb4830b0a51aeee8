import type { OptionTable } from './option-spec.ts';

/** The options of one namespace. `Namespace` in namespace.ts is what they become. */
export const namespaceOptions = {
  historySize: {
    type: 'integer',
    default: 0,
    min: 0,
    max: 100_000,
    unit: 'publications',
    since: '0.1',
    description: 'Publications kept a channel. 0: none are kept, and a client that was away cannot recover.',
  },
  historyTtl: {
    type: 'duration',
    default: '24h',
    min: 1_000,
    max: 3_650 * 86_400_000,
    since: '0.1',
    description: 'How long a publication is kept.',
  },
  durable: {
    type: 'boolean',
    default: false,
    since: '0.1',
    description:
      'History is on disk: a publish is acknowledged after commit and sync, and survives the process. Needs `historySize`.',
  },
  presence: { type: 'boolean', default: false, since: '0.1', description: 'The channel knows who is in it.' },
  joinLeave: {
    type: 'boolean',
    default: false,
    since: '0.1',
    description: 'Subscribers are told who joins and who leaves. Needs `presence`.',
  },
  joinLeaveBy: {
    type: 'choice',
    choices: ['connection', 'user'],
    default: 'connection',
    since: '0.1',
    description:
      'What `joinLeave` tells. `connection`: every device and every tab. `user`: the first connection of a user that comes, on any node, and the last that goes.',
  },
  presenceGrace: {
    type: 'duration',
    default: '0s',
    min: 0,
    max: 300_000,
    since: '0.1',
    description:
      'With `joinLeaveBy: user`: a user who is back within this time was not away, so that loading a page anew is neither told as a leave nor as a join. The list of members has who is connected now.',
  },
  payload: {
    type: 'choice',
    choices: ['json', 'binary'],
    default: 'json',
    since: '0.1',
    description: '`json`: payloads are checked to be JSON. `binary`: any bytes, for Protobuf connections only.',
  },
  delivery: {
    type: 'choice',
    choices: ['all', 'latest', 'latest_by_key'],
    default: 'all',
    since: '0.1',
    description:
      'What a client that reads too slowly is sent of what waits for it. `all`: everything. `latest`: only the newest publication. `latest_by_key`: the newest of each `key`. Clients that keep up get everything; `final` publications always come.',
  },
  overflow: {
    type: 'choice',
    choices: ['auto', 'recover', 'disconnect', 'drop'],
    default: 'auto',
    since: '0.1',
    description:
      'What happens when more waits for a client than `outboundBytesMax`. `recover`: it goes on from the history when it reads again (needs `historySize`). `disconnect`: it is closed with code 3008. `drop`: the oldest are dropped (only without `historySize`). `auto`: `recover` where there is history, else `disconnect`.',
  },
  allowSubscribe: {
    type: 'choice',
    choices: ['nobody', 'token', 'user', 'anyone'],
    default: 'token',
    since: '0.1',
    description:
      'Who may subscribe. `token`: with a subscription token or a capability. `user`: also every user that is not anonymous. `nobody`: only the server subscribes clients.',
  },
  allowPublish: {
    type: 'choice',
    choices: ['nobody', 'subscriber', 'user', 'anyone'],
    default: 'nobody',
    since: '0.1',
    description: 'Which clients may publish without a capability. `subscriber`: who is subscribed now.',
  },
  subscribeHook: {
    type: 'boolean',
    default: false,
    since: '0.1',
    description:
      'The subscribe hook decides whether a client without a subscription token may subscribe; its yes counts as such a token.',
  },
  publishHook: {
    type: 'boolean',
    default: false,
    since: '0.1',
    description:
      'The publish hook decides about each publication of a client, in the place of `allowPublish` and of capabilities, and may change its data.',
  },
  allowHistory: {
    type: 'choice',
    choices: ['nobody', 'subscriber', 'user', 'anyone'],
    default: 'subscriber',
    since: '0.1',
    description: 'Which clients may read the history without a capability.',
  },
  allowPresence: {
    type: 'choice',
    choices: ['nobody', 'subscriber', 'user', 'anyone'],
    default: 'subscriber',
    since: '0.1',
    description: 'Which clients may ask who is there without a capability.',
  },
} as const satisfies OptionTable;

import type { OptionTable } from '../option-spec.ts';

const url = (hook: string): string =>
  `Where the ${hook} hook is: an http(s) address of your backend, which is sent a signed POST. Empty: none. Functions in \`tutti.config.ts\` (\`hooks\`) do the same without HTTP.`;

export const hookOptions = {
  connectHookUrl: { type: 'text', default: '', since: '0.1', description: url('connect') },
  refreshHookUrl: { type: 'text', default: '', since: '0.1', description: url('refresh') },
  subscribeHookUrl: { type: 'text', default: '', since: '0.1', description: url('subscribe') },
  subRefreshHookUrl: { type: 'text', default: '', since: '0.1', description: url('sub_refresh') },
  publishHookUrl: { type: 'text', default: '', since: '0.1', description: url('publish') },
  rpcHookUrl: { type: 'text', default: '', since: '0.1', description: url('rpc') },
  connectHookFor: {
    type: 'choice',
    choices: ['no_token', 'everyone'],
    default: 'no_token',
    since: '0.1',
    description:
      'Who the connect hook is asked about. `no_token`: clients without a token. `everyone`: also those with one, after it was verified.',
  },
  hookSecret: {
    type: 'text',
    default: '',
    secret: true,
    since: '0.1',
    description: 'Signs the requests of HTTP hooks (`Tutti-Signature`). At least 32 bytes.',
  },
  hookHeaders: {
    type: 'list',
    default: [],
    since: '0.1',
    description:
      "Headers of the client's own request that hooks see, such as `cookie`, `authorization`, `user-agent`, `x-request-id`. No others.",
  },
  hookTimeout: {
    type: 'duration',
    default: '1s',
    min: 10,
    max: 60_000,
    since: '0.1',
    description: 'A hook that takes longer has failed: the time of one HTTP request, or of a function.',
  },
  hookTotalTimeout: {
    type: 'duration',
    default: '3s',
    min: 10,
    max: 60_000,
    since: '0.1',
    description: 'Time of an HTTP hook with all its tries. Not shorter than `hookTimeout`.',
  },
  hookCallsMax: {
    type: 'integer',
    default: 256,
    min: 1,
    max: 100_000,
    unit: 'calls',
    since: '0.1',
    description: 'Calls of one hook under way; more get a temporary error at once.',
  },
} as const satisfies OptionTable;

import type { OptionTable } from '../option-spec.ts';
import { hour, MiB } from './units.ts';

/** How long connections live, and what one of them may cost. */
export const connectionOptions = {
  pingInterval: {
    type: 'duration',
    default: '25s',
    min: 1_000,
    max: hour,
    since: '0.1',
    description:
      'Time between pings. Keep it below the idle time-out of proxies in front (often 60 s), and `pongTimeout` below it.',
  },
  pongTimeout: {
    type: 'duration',
    default: '8s',
    min: 500,
    max: hour,
    since: '0.1',
    description: 'A client that does not answer a ping for so long is closed. Shorter than `pingInterval`.',
  },
  pollWait: {
    type: 'duration',
    default: '20s',
    min: 0,
    max: 300_000,
    since: '0.1',
    description:
      'How long a long poll may wait for something to tell. Keep it below the idle time-out of proxies in front.',
  },
  connectTimeout: {
    type: 'duration',
    default: '10s',
    min: 500,
    max: hour,
    since: '0.1',
    description: 'Time from the open connection to accepted credentials.',
  },
  flushDelayMax: {
    type: 'duration',
    default: '25ms',
    min: 0,
    max: 1_000,
    since: '0.1',
    description: 'A busy node may hold output for so long, to send more at once. `0`: never.',
  },
  frameBytesMax: {
    type: 'size',
    default: '64KiB',
    min: 1024,
    max: 16 * MiB,
    since: '0.1',
    description: 'Largest frame a client may send.',
  },
  subscriptionsMax: {
    type: 'integer',
    default: 128,
    min: 1,
    max: 100_000,
    unit: 'subscriptions',
    since: '0.1',
    description: 'Subscriptions of one connection.',
  },
  outboundBytesMax: {
    type: 'size',
    default: '5MiB',
    min: 64 * 1024,
    max: 1024 * MiB,
    since: '0.1',
    description: 'Output that may wait for one connection. Beyond it the client is too slow.',
  },
  inFlightBytesMax: {
    type: 'size',
    default: '256KiB',
    min: 4 * 1024,
    max: 64 * MiB,
    since: '0.1',
    description: 'Output handed to the network for one connection and not yet taken by it.',
  },
  commandRateMax: {
    type: 'integer',
    default: 2_000,
    min: 0,
    max: 1_000_000,
    unit: 'commands a second',
    since: '0.1',
    description:
      'Commands of one connection that are read a second, in the long run, and as many at once; every 4 KiB of a frame count as one more. Who sends faster is read later, so that its own network holds it back. `0`: any.',
  },
  receivedBytesRateMax: {
    type: 'size',
    default: 0,
    min: 0,
    max: 1024 * MiB,
    since: '0.1',
    description:
      'Bytes of one connection that are read a second, in the long run, and as many at once. Who sends faster is read later. `0`: any, as far as `commandRateMax` lets them.',
  },
  publishRateMax: {
    type: 'integer',
    default: 0,
    min: 0,
    max: 1_000_000,
    unit: 'commands a second',
    since: '0.1',
    description:
      'Publications, RPC calls and messages of one connection a second, in the long run; twice as many at once. More are refused with error 111, which says when to retry. `0`: any. 50 suits people; publishers of your own need more.',
  },
  subscribeRateMax: {
    type: 'integer',
    default: 0,
    min: 0,
    max: 1_000_000,
    unit: 'commands a second',
    since: '0.1',
    description:
      'Subscribes of one connection a second, in the long run; `subscriptionsMax` or twice as many at once, so that a client that comes back has all its channels. More are refused with error 111; SDKs try again by themselves. `0`: any. 20 suits people.',
  },
  readRateMax: {
    type: 'integer',
    default: 0,
    min: 0,
    max: 1_000_000,
    unit: 'commands a second',
    since: '0.1',
    description:
      'Requests of one connection for history and presence a second, in the long run; twice as many at once. More are refused with error 111. `0`: any. 5 suits people.',
  },
  userCommandRateMax: {
    type: 'integer',
    default: 0,
    min: 0,
    max: 1_000_000,
    unit: 'commands a second',
    since: '0.1',
    description:
      'Commands of those three kinds that one user may send a second on this node, with all connections together; twice as many (or `subscriptionsMax`) at once. Anonymous clients are no one user. `0`: any.',
  },
  pendingCommandsMax: {
    type: 'integer',
    default: 256,
    min: 1,
    max: 100_000,
    unit: 'commands',
    since: '0.1',
    description: 'Commands of one connection that wait for an answer. More than `subscriptionsMax`.',
  },
  rpcTimeout: {
    type: 'duration',
    default: '10s',
    min: 100,
    max: hour,
    since: '0.1',
    description: 'An `rpc` method that takes longer is answered with an error; what it does later is ignored.',
  },
} as const satisfies OptionTable;

import type { OptionTable } from '../option-spec.ts';
import { hour } from './units.ts';

/** Which connections are taken, and how a node lets them go. */
export const admissionOptions = {
  connectionsMax: {
    type: 'integer',
    default: 50_000,
    min: 1,
    max: 10_000_000,
    unit: 'connections',
    since: '0.1',
    description: 'Open connections of the node. The open-files limit of the process must be higher.',
  },
  connectionsPerAddressMax: {
    type: 'integer',
    default: 200,
    min: 1,
    max: 10_000_000,
    unit: 'connections',
    since: '0.1',
    description: 'Open connections from one address. Raise it behind a proxy, whose address all clients share.',
  },
  addressConnectRateMax: {
    type: 'integer',
    default: 20,
    min: 0,
    max: 1_000_000,
    unit: 'connections a second',
    since: '0.1',
    description:
      'New connections from one address a second, in the long run; `connectionsPerAddressMax` or twice as many at once, so that all of a site that was cut off are back at once. More get 429 with `Retry-After`. Each long poll counts. Loopback addresses are exempt; behind a proxy set `trustedProxies`, or all clients share its address. `0`: any.',
  },
  tokenFailuresMax: {
    type: 'integer',
    default: 5,
    min: 0,
    max: 1_000_000,
    unit: 'tokens a minute',
    since: '0.1',
    description:
      'Bad tokens that one address may send a minute: malformed, or not by a configured key. After that nobody of that address is let in until some time has passed (429 with `Retry-After`, or error 111 where the connection is open already); who is connected stays. Expired tokens do not count. Loopback addresses are exempt; behind a proxy set `trustedProxies`, or all clients share its address. `0`: any.',
  },
  unauthenticatedShareMax: {
    type: 'share',
    default: '10%',
    min: 0.001,
    max: 1,
    since: '0.1',
    description: 'Share of `connectionsMax` that may be open without accepted credentials.',
  },
  trustedProxies: {
    type: 'list',
    default: [],
    since: '0.1',
    description:
      'Proxies in front, as addresses or networks (`10.0.0.0/8`): their `X-Forwarded-For` is believed, and limits by address then count clients and not the proxy.',
  },
  connectRateMax: {
    type: 'integer',
    default: 500,
    min: 0,
    max: 1_000_000,
    unit: 'connections a second',
    since: '0.1',
    description:
      'New connections that the node takes a second, in the long run. Beyond it they get 503 with `Retry-After`, and those connected notice nothing. `0`: any.',
  },
  connectBurstMax: {
    type: 'integer',
    default: 500,
    min: 1,
    max: 1_000_000,
    unit: 'connections',
    since: '0.1',
    description: 'New connections that the node takes at once, after a quiet time.',
  },
  loopLagMax: {
    type: 'duration',
    default: '250ms',
    min: 0,
    max: 60_000,
    since: '0.1',
    description: 'A node whose event loop is later than this takes no new connection (503). `0`: never mind.',
  },
  memoryHighWater: {
    type: 'share',
    default: '85%',
    min: 0,
    max: 1,
    since: '0.1',
    description:
      'A node that uses more than this share of its memory takes no new connection (503). Counted are the memory of the container (or machine) and the heap of Node, whichever is fuller. `0`: never mind.',
  },
  drainTime: {
    type: 'duration',
    default: '20s',
    min: 0,
    max: hour,
    since: '0.1',
    description:
      'A node that stops closes its connections spread over this time; fewer than a hundred a second go sooner. What stops the node (systemd, Kubernetes) must wait longer than this. `0`: all at once.',
  },
} as const satisfies OptionTable;

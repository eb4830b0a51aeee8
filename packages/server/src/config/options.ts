// long on purpose: one table of all options
import type { ApiKey, ApiMethodName } from './api-key.ts';
import type { Namespace } from './namespace.ts';
import type { namespaceOptions } from './namespace-options.ts';
import type { OptionSpec, OptionTable, SettingKey } from './option-spec.ts';
import type { TokenKey } from './token-key.ts';

const hour = 3_600_000;
const MiB = 1024 * 1024;

/**
 * Every option of a node, once. File keys are the names below; `variableName` and `flagName` say
 * the others. Changing a default is a change for users: it belongs into the changelog.
 */
export const options = {
  host: {
    type: 'text',
    default: '127.0.0.1',
    since: '0.1',
    description:
      'Address to listen on. The default is reached from this machine only; `0.0.0.0` (or `::`) opens the node to the network.',
  },
  port: {
    type: 'integer',
    default: 8000,
    min: 0,
    max: 65_535,
    since: '0.1',
    description: 'Port to listen on. 0: any free one.',
  },
  dataDir: {
    type: 'text',
    default: './data',
    since: '0.1',
    description: 'Folder of durable channels. One node at a time uses it.',
  },
  engine: {
    type: 'text',
    default: 'embedded',
    since: '0.1',
    description: 'Where channels live. `embedded`: in this process and `dataDir`.',
  },
  nodeName: {
    type: 'text',
    default: '',
    since: '0.1',
    description: 'Name of this node in logs. Empty: one is made at start.',
  },
  allowedOrigins: {
    type: 'list',
    default: [],
    since: '0.1',
    description:
      "Pages that may connect, as exact origins (`https://app.example.com`), besides the node's own. `*` alone: every page. Clients that are no browser send no origin and are not concerned.",
  },
  tokenIssuer: {
    type: 'text',
    default: '',
    since: '0.1',
    description: 'The `iss` that tokens must carry. Empty: not checked.',
  },
  tokenAudience: {
    type: 'text',
    default: '',
    since: '0.1',
    description: 'The `aud` that tokens must carry. Empty: not checked.',
  },
  tokenKeys: {
    type: 'keys',
    default: [],
    secret: true,
    since: '0.1',
    description:
      'Keys that verify tokens: a list of `{alg, kid?, secret}` or `{alg, kid?, publicKey}` or `{alg, kid?, publicKeyFile}`. A key is used with its own algorithm only.',
  },
  tokenHmacSecret: {
    type: 'text',
    default: '',
    secret: true,
    since: '0.1',
    description: 'Short for one key with algorithm HS256. At least 32 bytes.',
  },
  apiKeys: {
    type: 'apiKeys',
    default: [],
    secret: true,
    since: '0.1',
    description:
      'Keys of the server API: a list of `{name, key, allow}` or `{name, keyFile, allow}`. `allow`: methods (`["publish", "history"]`) or `"*"`. With `channels` (names, or beginnings with `*` at the end) a key opens those alone. Empty: the API is closed.',
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
  tokenLeeway: {
    type: 'duration',
    default: '30s',
    min: 0,
    max: hour,
    since: '0.1',
    description:
      "How far the clock of a token's issuer may be ahead (`nbf`, `iat`). Expiry is exact; see `tokenGrace`.",
  },
  tokenGrace: {
    type: 'duration',
    default: '25s',
    min: 0,
    max: hour,
    since: '0.1',
    description:
      'How long a living connection goes on after its token expired, so that a refresh under way can arrive.',
  },
  insecure: {
    type: 'boolean',
    default: false,
    since: '0.1',
    description: 'No token is needed. Only `tutti dev` accepts it, and only on a loopback address.',
  },
  allowAnonymous: {
    type: 'boolean',
    default: false,
    since: '0.1',
    description: 'Clients without a token may connect, with an empty user.',
  },
  personalNamespace: {
    type: 'text',
    default: '',
    since: '0.1',
    description:
      'Namespace of personal channels: every connection of user `ann` is subscribed to `NAMESPACE:ann` by the server. Empty: off.',
  },
  pingInterval: {
    type: 'duration',
    default: '25s',
    min: 1_000,
    max: hour,
    since: '0.1',
    description: 'Time between pings. Keep it below the idle time-out of proxies in front (often 60 s).',
  },
  pongTimeout: {
    type: 'duration',
    default: '8s',
    min: 500,
    max: hour,
    since: '0.1',
    description: 'A client that does not answer a ping for so long is closed. Shorter than `pingInterval`.',
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
  metricsHost: {
    type: 'text',
    default: '127.0.0.1',
    since: '0.1',
    description: 'Address of the metrics, where they have a port of their own.',
  },
  metricsPort: {
    type: 'integer',
    default: 0,
    min: 0,
    max: 65_535,
    since: '0.1',
    description:
      'Port for `/metrics`, `/health` and `/ready` alone. `0`: `/metrics` is served on `port`, for whoever can reach that.',
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
  logLevel: {
    type: 'choice',
    choices: ['debug', 'info', 'warn', 'error', 'silent'],
    default: 'info',
    since: '0.1',
    description: 'What is logged.',
  },
  namespaces: {
    type: 'namespaces',
    default: [],
    since: '0.1',
    description: 'The namespaces by name. A channel whose namespace is not here does not exist.',
  },
} as const satisfies OptionTable;

export type Options = typeof options;
export type OptionName = keyof Options;

/** The value of an option once read: milliseconds, bytes, a share of 1. */
export type SettingValue<Spec extends OptionSpec> = Spec['type'] extends 'text'
  ? string
  : Spec['type'] extends 'boolean'
    ? boolean
    : Spec['type'] extends 'choice'
      ? ChoiceOf<Spec>
      : Spec['type'] extends 'list'
        ? readonly string[]
        : Spec['type'] extends 'keys'
          ? readonly TokenKey[]
          : Spec['type'] extends 'apiKeys'
            ? readonly ApiKey[]
            : Spec['type'] extends 'namespaces'
              ? ReadonlyMap<string, Namespace>
              : number;

type ChoiceOf<Spec> = Spec extends { choices: readonly (infer Choice)[] } ? Choice : never;

/** What a table becomes once read and checked. */
export type SettingsOf<Table extends OptionTable> = {
  readonly [Name in keyof Table & string as SettingKey<Name, Table[Name]>]: SettingValue<Table[Name]>;
};

/** Effective values of all options: every module gets its own slice in its constructor. */
export type Settings = SettingsOf<Options>;

/** How a value is written in a file: `'25s'` for a duration, `'64KiB'` or bytes for a size. */
type WrittenValue<Spec extends OptionSpec> = Spec['type'] extends 'size' | 'share'
  ? string | number
  : Spec['type'] extends 'duration'
    ? string
    : Spec['type'] extends 'keys'
      ? readonly WrittenTokenKey[]
      : Spec['type'] extends 'apiKeys'
        ? readonly WrittenApiKey[]
        : Spec['type'] extends 'namespaces'
          ? Readonly<Record<string, WrittenNamespace>>
          : SettingValue<Spec>;

/** A token key in a file: exactly one of `secret`, `publicKey` and `publicKeyFile`. */
export interface WrittenTokenKey {
  alg: TokenKey['alg'];
  kid?: string;
  secret?: string;
  publicKey?: string;
  /** PEM file, relative to the configuration file. */
  publicKeyFile?: string;
}

/** A key of the server API in a file: exactly one of `key` and `keyFile`. */
export interface WrittenApiKey {
  name: string;
  key?: string;
  /** File with nothing but the key, relative to the configuration file. */
  keyFile?: string;
  allow: '*' | readonly (ApiMethodName | '*')[];
  channels?: readonly string[];
}

type NamespaceTable = typeof namespaceOptions;
export type WrittenNamespace = { readonly [Name in keyof NamespaceTable]?: WrittenValue<NamespaceTable[Name]> };
export type WrittenSettings = { readonly [Name in OptionName]?: WrittenValue<Options[Name]> };

import { Disconnect, disconnects } from '@tutti/protocol';
import { validateJson } from '@tutti/protocol/json';
import {
  Counters,
  MemoryBroker,
  MemoryPresence,
  NamespaceAuthorizer,
  nullLog,
  MemoryRevocationList,
  Namespaces,
  Node,
  RpcMethods,
  type Authenticator,
  type Broker,
  type Clock,
  type Hooks,
  type Limits,
  type Namespace,
  type Presence,
  type NodeObserver,
  type Random,
  type RevocationOptions,
  type RpcHandler,
  type SeenUsers,
  type TokenFailures,
} from '@tutti/server/internal';
import { MemoryConnection } from './memory-connection.ts';
import { SeededRandom } from './seeded-random.ts';
import { VirtualClock } from './virtual-clock.ts';

export interface CoreNodeOptions {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly broker?: Broker;
  readonly limits?: Partial<Limits>;
  readonly namespaces?: Record<string, Partial<Namespace>>;
  readonly authenticator?: Authenticator;
  readonly rpc?: Record<string, RpcHandler>;
  readonly positionCheckIntervalMs?: number;
  /** Default: a list in memory, re-read every 5 s. */
  readonly revocations?: Partial<RevocationOptions>;
  readonly hooks?: Hooks;
  readonly tokenFailures?: TokenFailures;
  readonly observers?: readonly NodeObserver[];
  readonly seen?: Pick<SeenUsers, 'came' | 'left'>;
}

export const testLimits: Limits = {
  pingIntervalMs: 25_000,
  pongTimeoutMs: 8_000,
  connectTimeoutMs: 10_000,
  tokenGraceMs: 25_000,
  flushDelayMaxMs: 25,
  frameBytesMax: 64 * 1024,
  outboundBytesMax: 5 * 1024 * 1024,
  inFlightBytesMax: 256 * 1024,
  subscriptionsMax: 128,
  pendingCommandsMax: 256,
  commandRateMax: 0,
  receivedBytesRateMax: 0,
  publishRateMax: 0,
  subscribeRateMax: 0,
  readRateMax: 0,
  userCommandRateMax: 0,
  rpcTimeoutMs: 10_000,
  recoveryPageMax: 300,
  historyPageMax: 300,
  unauthenticatedMax: 1_000,
};

export function openNamespace(name: string, options: Partial<Namespace> = {}): Namespace {
  return {
    name,
    historySize: 0,
    historyTtlMs: 3_600_000,
    durable: false,
    presence: false,
    joinLeave: false,
    joinLeaveBy: 'connection',
    presenceGraceMs: 0,
    payload: 'json',
    subscribeHook: false,
    publishHook: false,
    delivery: 'all',
    overflow: 'auto',
    allowSubscribe: 'anyone',
    allowPublish: 'anyone',
    allowHistory: 'anyone',
    allowPresence: 'anyone',
    ...options,
  };
}

/**
 * The token is the user's name, perhaps with a tenant (`ann@acme`); no subscription tokens. For tests of core,
 * where identity is not the question.
 */
export const nameIsToken: Authenticator = {
  connect: (attempt) => {
    if (attempt.token === 'bad') return Promise.reject(new Disconnect(disconnects.invalidToken));
    const [user = '', tenant = ''] = attempt.token.split('@');
    const whose = tenant === '' ? {} : { tenant };
    return Promise.resolve({ user, channels: [], capabilities: [], ...whose });
  },
  refresh: (token, identity) => Promise.resolve({ ...identity, user: token }),
  subscription: () => Promise.resolve({}),
};

/** A node without a network and without a database: core as it is, on the clock and chance of the test. */
export class CoreNode {
  readonly clock: Clock;
  readonly broker: Broker;
  readonly presence: Presence;
  readonly node: Node;
  readonly counters = new Counters(nullLog);

  private constructor(options: CoreNodeOptions) {
    this.clock = options.clock ?? new VirtualClock();
    const random = options.random ?? new SeededRandom(1);
    this.broker = options.broker ?? new MemoryBroker({ clock: this.clock, random });
    this.presence = new MemoryPresence();
    const configured = new Map(
      Object.entries(
        options.namespaces ?? { chat: { historySize: 1_000, presence: true, joinLeave: true }, live: {} },
      ).map(([name, namespace]) => [name, openNamespace(name, namespace)]),
    );
    this.node = new Node({
      clock: this.clock,
      random,
      broker: this.broker,
      presence: this.presence,
      authenticator: options.authenticator ?? nameIsToken,
      authorizer: new NamespaceAuthorizer({ personalNamespace: 'personal' }),
      limits: { ...testLimits, ...options.limits },
      telemetry: this.counters,
      revocations: {
        list: new MemoryRevocationList({ clock: this.clock, revocationsMax: 100_000 }),
        pollIntervalMs: 5_000,
        tokenLifetimeMaxMs: 0,
        ...options.revocations,
      },
      rpc: new RpcMethods(options.rpc ?? {}),
      node: {
        name: 'node-1',
        version: 'test',
        personalChannel: (user) => (configured.has('personal') && user !== '' ? `personal:${user}` : undefined),
      },
      namespaces: new Namespaces({ namespaces: configured, channelLengthMax: 255 }),
      validateJson,
      positionCheckIntervalMs: options.positionCheckIntervalMs ?? 0,
      ...(options.hooks === undefined ? {} : { hooks: options.hooks }),
      ...(options.tokenFailures === undefined ? {} : { tokenFailures: options.tokenFailures }),
      ...(options.seen === undefined ? {} : { seen: options.seen }),
      observers: options.observers ?? [],
    });
  }

  static async start(options: CoreNodeOptions = {}): Promise<CoreNode> {
    const node = new CoreNode(options);
    await node.node.start();
    return node;
  }

  /** A link to the node; nothing has been sent yet. */
  link(connection = new MemoryConnection()): MemoryConnection {
    connection.attach(this.node.accept(connection));
    return connection;
  }

  /** A link whose connect has been sent. */
  connect(user: string, connection = new MemoryConnection()): MemoryConnection {
    this.link(connection).command({ connect: { token: user } });
    return connection;
  }
}

import type { ClientInfo, DisconnectKind, Position, Rejection } from '@tutti/protocol';
import type { HistoryPage, HistoryQuery, PublicationDraft, PublishOptions, PublishOutcome } from '../broker/broker.ts';
import type { Namespace } from '../config/namespace.ts';

/**
 * What the server API asks of a node. The application's rights are not limited here: what a key may
 * do is checked before. All that takes a channel name checks it, and throws `Rejection` for one that
 * cannot be; all throw what broker and presence throw.
 */
export interface ApiTarget {
  /**
   * The same within a tenant: names of channels and users are that tenant's, and what belongs to others is
   * not there. `''`: the operator's own space. Undefined: the caller named none. Throws `Rejection` where the
   * node has tenants and none is named, or has none and one is.
   */
  within(tenant: string | undefined): ApiTarget;
  namespaceOf(channel: string): Namespace;
  publish(
    channel: string,
    draft: PublicationDraft,
    extras: Pick<PublishOptions, 'idempotencyKey' | 'expected'>,
  ): Promise<PublishOutcome>;
  /** `query.limit` beyond the node's own bound, or negative, is taken for that. */
  history(channel: string, query: HistoryQuery): Promise<HistoryPage>;
  removeHistory(channel: string): Promise<void>;
  /** Without `query` all of them. Throws `Rejection` where there are more than one answer may hold. */
  presence(
    channel: string,
    query?: PageQuery,
  ): Promise<{ readonly members: readonly ClientInfo[]; readonly hasMore: boolean }>;
  presenceStats(channel: string): Promise<{ readonly clients: number; readonly users: number }>;
  /** Answers in the order of the users. Throws `Rejection` where it is not kept. */
  lastSeen(users: readonly string[]): Promise<{ readonly users: readonly ApiSeen[] } & Heard>;
  /** Nothing is kept of when the user was connected; of one who is, it begins anew. Throws `Rejection` where it is not kept. */
  forgetSeen(user: string): Promise<Heard>;
  // These concern the connections of all nodes.
  subscribe(whose: Whose, channel: string, wanted: WantedSubscription): Promise<Heard>;
  unsubscribe(whose: Whose, channel: string): Promise<Heard>;
  disconnect(whose: Whose, kind: DisconnectKind | undefined, except: readonly string[]): Promise<Heard>;
  refresh(whose: Whose, expiresAtMs: number, info?: Uint8Array): Promise<Heard>;
  /** Resolves when it holds here and is on the list. Milliseconds since 1970 when it ends by itself; undefined: never. */
  revoke(wanted: WantedRevocation): Promise<number | undefined>;
  /** Names that match `pattern`, and one of `within` where it is given. */
  channels(
    query: PageQuery,
    filter: { readonly pattern: string; readonly within?: readonly string[] },
  ): Promise<Page<number> & Heard>;
  connections(query: PageQuery, user?: string): Promise<Page<ApiConnection> & Heard>;
  info(): Promise<{ readonly nodes: readonly ApiNode[] } & Heard>;
  /** What a caller is told of an error; faults and bugs are logged there, and told as such. */
  rejectionOf(error: unknown): Rejection;
}

export interface Heard {
  /** Names of nodes that did not answer in time: nothing is known of them. */
  readonly silent: readonly string[];
}

/** Connections of a user, or one by its client id; at least one of the two is given. */
export interface Whose {
  readonly user?: string;
  readonly client?: string;
}

export interface ApiSeen {
  readonly isOnline: boolean;
  /** Milliseconds since 1970; absent: online, never seen, or forgotten. */
  readonly lastSeenMs?: number;
}

export interface WantedRevocation {
  readonly what: 'user' | 'token' | 'session';
  /** The user, the id of the token (`jti`), or the client id. */
  readonly subject: string;
  /** Of a user: what was issued until then, milliseconds since 1970; absent: now. */
  readonly issuedBeforeMs?: number;
  /** Of a token: when it expires by itself. */
  readonly expiresAtMs?: number;
}

export interface WantedSubscription {
  readonly info?: Uint8Array;
  readonly data?: Uint8Array;
  readonly expiresAtMs?: number;
  readonly recoverSince?: Position;
}

export interface PageQuery {
  /** The last key of the page before; empty for the first. */
  readonly after: string;
  readonly limit: number;
}

export interface Page<Item> {
  readonly items: readonly (readonly [key: string, item: Item])[];
  readonly hasMore: boolean;
}

export interface ApiConnection {
  readonly user: string;
  readonly transport: string;
  readonly codec: string;
  readonly subscriptions: number;
  readonly lagBytes: number;
}

export interface ApiNode {
  readonly name: string;
  readonly version: string;
  readonly uptimeSeconds: number;
  readonly connections: number;
  readonly users: number;
  readonly channels: number;
  readonly subscriptions: number;
  /** Since the start; 100 is one core. */
  readonly cpuPercent: number;
  readonly rssBytes: number;
  readonly heapBytes: number;
  /** How late its event loop is, smoothed. */
  readonly loopLagMs: number;
}

/** Bounds of one request. */
export const apiBounds = {
  /** Commands of one batch. */
  batchCommandsMax: 1_000,
  /** Channels of one broadcast. */
  broadcastChannelsMax: 10_000,
  /** Channels or connections in one answer. */
  pageMax: 10_000,
  /** Bytes of an idempotency key. */
  idempotencyKeyBytesMax: 128,
  /** Publications, or commands of a batch, begun in one turn of the event loop. */
  turnMax: 100,
  /** Bytes of a close reason: a close frame has no more room. */
  reasonBytesMax: 123,
  /** Users of one question for last seen. */
  lastSeenUsersMax: 1_000,
  /** Bytes of the name of a user. */
  userBytesMax: 1_024,
  /** Clients that a disconnect spares. */
  whitelistMax: 1_000,
} as const;

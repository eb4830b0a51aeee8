/**
 * The messages of the client protocol: the Centrifuge client protocol v2, plus the fields that
 * are Tutti's own (numbers from 101 up, listed in docs/decisions/0003-wire-extensions.md).
 *
 * Names are the wire names in both codecs, so that nothing is translated on the way. `P` is the
 * payload: raw bytes on a node (`Uint8Array`, carried and never re-parsed), a decoded value in the
 * SDK. Unit of every `offset`: a publication's number within one epoch, from 1 up; 0 means none.
 */

/** Who a connection is, as other subscribers see it. */
export interface ClientInfo<P = Uint8Array> {
  user: string;
  client: string;
  conn_info?: P;
  chan_info?: P;
}

export interface Publication<P = Uint8Array> {
  data: P;
  info?: ClientInfo<P>;
  /** Position of this publication in its channel; absent where the channel keeps no history. */
  offset?: number;
  tags?: Record<string, string>;
  delta?: boolean;
  /** Milliseconds since 1970, by the clock of the node or broker that appended it. */
  time?: number;
  channel?: string;
  /** What `latest_by_key` delivery conflates by. */
  key?: string;
  /** Sent with offset 1 of an epoch, so that a live subscriber learns of the new epoch. */
  epoch?: string;
  /**
   * Tutti: publications before this one that this subscriber was not sent, because its connection
   * lagged and newer ones took their place, or because it asked for fewer (BP-6). Where it is
   * present, the offset may jump by more than one.
   */
  skipped?: number;
  /** Tutti: the last word on its key; never conflated away. */
  final?: boolean;
}

export interface Position {
  offset: number;
  epoch: string;
}

// Commands: what a client asks.

export interface ConnectRequest<P = Uint8Array> {
  token?: string;
  data?: P;
  subs?: Record<string, SubscribeRequest<P>>;
  name?: string;
  version?: string;
  headers?: Record<string, string>;
}

export interface SubscribeRequest<P = Uint8Array> {
  channel?: string;
  token?: string;
  recover?: boolean;
  epoch?: string;
  offset?: number;
  data?: P;
  positioned?: boolean;
  recoverable?: boolean;
  join_leave?: boolean;
  delta?: string;
  /** A filter by tags. Its content is not read: that somebody asks for one is enough to refuse it. */
  tf?: Record<never, never>;
  /** Bit 1: channel compaction offered. Bit 2: answer error 112 in place of `recovered: false`. */
  flag?: number;
  type?: number;
  /**
   * Tutti: at most one update in so many milliseconds, of each key where publications have keys; the
   * newest wins, and `final` ones all come. 0: every publication.
   */
  interval?: number;
}

export interface UnsubscribeRequest {
  channel?: string;
}

export interface PublishRequest<P = Uint8Array> {
  channel?: string;
  data?: P;
  key?: string;
  /** Tutti: a retry with the same key is answered with the first result (DEL-6). */
  idempotency_key?: string;
  /** Tutti: append only where the channel's top is exactly this offset. */
  expected_offset?: number;
  /** Tutti: the epoch `expected_offset` belongs to; empty accepts any. */
  expected_epoch?: string;
  /** Tutti: never conflated away. */
  final?: boolean;
}

export interface PresenceRequest {
  channel?: string;
}
export interface PresenceStatsRequest {
  channel?: string;
}

export interface HistoryRequest {
  channel?: string;
  /** Most publications wanted; 0 asks for the position alone, negative for the node's maximum. */
  limit?: number;
  since?: Position;
  reverse?: boolean;
}

export interface RPCRequest<P = Uint8Array> {
  data?: P;
  method?: string;
}
export interface SendRequest<P = Uint8Array> {
  data?: P;
}
export interface RefreshRequest {
  token?: string;
}
export interface SubRefreshRequest {
  channel?: string;
  token?: string;
  /** Tutti: changes the interval of a running subscription; a token is then not needed. */
  interval?: number;
}

/**
 * One command. The first member present besides `id` says which; an empty command is a pong.
 * `send` and pong carry no id.
 */
export interface Command<P = Uint8Array> {
  id?: number;
  connect?: ConnectRequest<P>;
  subscribe?: SubscribeRequest<P>;
  unsubscribe?: UnsubscribeRequest;
  publish?: PublishRequest<P>;
  presence?: PresenceRequest;
  presence_stats?: PresenceStatsRequest;
  history?: HistoryRequest;
  ping?: Record<never, never>;
  send?: SendRequest<P>;
  rpc?: RPCRequest<P>;
  refresh?: RefreshRequest;
  sub_refresh?: SubRefreshRequest;
}

// Replies: answers to commands.

export interface ErrorReply {
  code: number;
  message: string;
  temporary?: boolean;
}

export interface ConnectResult<P = Uint8Array> {
  client: string;
  version?: string;
  expires?: boolean;
  /** Seconds until the connection's credentials expire. */
  ttl?: number;
  data?: P;
  subs?: Record<string, SubscribeResult<P>>;
  /** Seconds between the server's pings. */
  ping?: number;
  /** True: the client answers each ping with an empty command. */
  pong?: boolean;
  session?: string;
  node?: string;
  /** Milliseconds since 1970. */
  time?: number;
  /** Tutti: bytes of the largest frame that the server takes. */
  frame_bytes_max?: number;
}

export interface SubscribeResult<P = Uint8Array> {
  expires?: boolean;
  /** Seconds until the subscription's credentials expire. */
  ttl?: number;
  recoverable?: boolean;
  epoch?: string;
  publications?: Publication<P>[];
  recovered?: boolean;
  offset?: number;
  positioned?: boolean;
  data?: P;
  was_recovering?: boolean;
  delta?: boolean;
  type?: number;
  /** Tutti: the interval that is really kept, where one was asked for. */
  interval?: number;
}

/** Tutti: where the publication stands in the log; both absent where the channel keeps no history. */
export interface PublishResult {
  offset?: number;
  epoch?: string;
  /** The idempotency key was seen before: this is the first result. */
  duplicate?: boolean;
}

export interface PresenceResult<P = Uint8Array> {
  presence: Record<string, ClientInfo<P>>;
}
export interface PresenceStatsResult {
  num_clients: number;
  num_users: number;
}
export interface HistoryResult<P = Uint8Array> {
  publications: Publication<P>[];
  epoch: string;
  offset: number;
}
export interface RPCResult<P = Uint8Array> {
  data?: P;
}
export interface RefreshResult {
  client: string;
  version?: string;
  expires?: boolean;
  ttl?: number;
}
export interface SubRefreshResult {
  expires?: boolean;
  ttl?: number;
  /** Tutti: the interval that is really kept, where one was asked for. */
  interval?: number;
}

// Pushes: what the server tells unasked.

export interface Join<P = Uint8Array> {
  info: ClientInfo<P>;
}
export interface Leave<P = Uint8Array> {
  info: ClientInfo<P>;
}
export interface UnsubscribePush {
  code: number;
  reason: string;
}
export interface MessagePush<P = Uint8Array> {
  data: P;
}
export interface SubscribePush<P = Uint8Array> {
  recoverable?: boolean;
  epoch?: string;
  offset?: number;
  positioned?: boolean;
  data?: P;
}
export interface DisconnectPush {
  code: number;
  reason: string;
  reconnect?: boolean;
}
export interface RefreshPush {
  expires?: boolean;
  ttl?: number;
}

export interface Push<P = Uint8Array> {
  channel?: string;
  pub?: Publication<P>;
  join?: Join<P>;
  leave?: Leave<P>;
  unsubscribe?: UnsubscribePush;
  message?: MessagePush<P>;
  subscribe?: SubscribePush<P>;
  disconnect?: DisconnectPush;
  refresh?: RefreshPush;
}

/** One reply. Without an id it is a push, or, when empty, the server's ping. */
export interface Reply<P = Uint8Array> {
  id?: number;
  error?: ErrorReply;
  push?: Push<P>;
  connect?: ConnectResult<P>;
  subscribe?: SubscribeResult<P>;
  unsubscribe?: Record<never, never>;
  publish?: PublishResult;
  presence?: PresenceResult<P>;
  presence_stats?: PresenceStatsResult;
  history?: HistoryResult<P>;
  ping?: Record<never, never>;
  rpc?: RPCResult<P>;
  refresh?: RefreshResult;
  sub_refresh?: SubRefreshResult;
}

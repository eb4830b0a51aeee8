/** Names are the wire's, so that what the documents of the API say can be read here. Times: as each says. */
export interface Position {
  offset: number;
  epoch: string;
}

export interface PublishOptions {
  /** A repetition with the same key takes effect once. Absent: one is made for the retries of this call. */
  idempotency_key?: string;
  /** What `latest_by_key` delivery conflates by. */
  key?: string;
  /** The last word on its key: never conflated away. */
  final?: boolean;
  tags?: Readonly<Record<string, string>>;
}

export interface ExpectedPosition {
  /** Append only where the channel is exactly here; else error 121. */
  expected_offset?: number;
  expected_epoch?: string;
}

export interface PublishResult {
  /** Absent, like `epoch`, where the channel keeps no history. */
  offset?: number;
  epoch?: string;
  /** The idempotency key was seen before; this is the first result. */
  duplicate?: boolean;
}

export interface ErrorMessage {
  code: number;
  message: string;
  temporary?: boolean;
  remedy?: string;
}

/** For each channel of a broadcast one of the two. */
export interface PublishResponse {
  result?: PublishResult;
  error?: ErrorMessage;
}

export interface ClientInfo {
  user: string;
  client: string;
  conn_info?: unknown;
  chan_info?: unknown;
}

export interface Publication<T = unknown> {
  /** Absent in channels that carry bytes: those have `b64data`. */
  data: T;
  b64data?: string;
  offset: number;
  info?: ClientInfo;
  tags?: Record<string, string>;
  /** Milliseconds since 1970. */
  time?: number;
  key?: string;
  final?: boolean;
}

export interface HistoryOptions {
  /** Most publications; -1: as many as the node gives at once. Absent: the position alone. */
  limit?: number;
  since?: Partial<Position>;
  reverse?: boolean;
}

export interface HistoryResult<T = unknown> extends Position {
  publications: Publication<T>[];
}

/** All connections of a user, or one by its client id. */
export type Whose = { user: string; client?: string } | { user?: string; client: string };

export interface SubscribeOptions {
  /** Shown to others as `chan_info`. */
  info?: unknown;
  /** Handed to the client with the news. */
  data?: unknown;
  /** Seconds since 1970. */
  expire_at?: number;
  /** What came after it is sent first. */
  recover_since?: Position;
}

export interface DisconnectOptions {
  /** Client ids of connections that go on. */
  whitelist?: readonly string[];
  /** Code from 3000; 3000-3499 and 4000-4499: the client comes back. */
  disconnect?: { code: number; reason?: string };
}

/** `expire_at`: seconds since 1970. */
export type RefreshOptions = { expired: true } | { expire_at: number; info?: unknown };

/**
 * `user`: all that was given until `issued_before` (absent: now). `jti`: one token, which `expire_at` ends anyhow.
 * `client`: one connection, and the token that it came with. Times: seconds since 1970.
 */
export type Revoked =
  { user: string; issued_before?: number } | { jti: string; expire_at?: number } | { client: string };

/** Of one user. */
export interface Seen {
  /** Connected to any node. */
  online: boolean;
  /** When the last connection ended, milliseconds since 1970. Absent: online, never seen, or longer ago than it is kept. */
  last_seen?: number;
}

export interface PageOptions {
  limit?: number;
  /** `next_cursor` of the page before. */
  cursor?: string;
}

/** What came of something over all nodes. */
export interface Heard {
  /** Nodes that did not answer in time; absent where all did. Nothing is known of them: ask again. */
  silent_nodes?: readonly string[];
}

export interface ChannelsResult extends Heard {
  channels: Record<string, { num_clients: number }>;
  next_cursor?: string;
}

export interface ConnectionFacts {
  user: string;
  transport: string;
  protocol: string;
  num_subs: number;
  lag_bytes: number;
}

export interface ConnectionsResult extends Heard {
  connections: Record<string, ConnectionFacts>;
  next_cursor?: string;
}

export interface NodesResult extends Heard {
  /** The one that was asked first. */
  nodes: readonly NodeFacts[];
}

export interface NodeFacts {
  uid: string;
  name: string;
  version: string;
  /** Seconds. */
  uptime: number;
  num_clients: number;
  num_users: number;
  num_channels: number;
  num_subs: number;
  process: { cpu: number; rss: number; heap: number; loop_lag_ms: number };
}

/** One member, named as its method: `{ publish: { channel, data } }`. */
export type BatchCommand = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
/** The result by its method, or an error. */
export type BatchReply = Record<string, unknown> & { error?: ErrorMessage };

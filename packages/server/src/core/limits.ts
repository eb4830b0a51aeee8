/** Bounds and times of a node's sessions. Milliseconds, bytes and counts; each is an option (docs/operations/configuration.md). */
export interface Limits {
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  /** From the open transport to accepted credentials. */
  readonly connectTimeoutMs: number;
  /** How long expired credentials still serve, so that a refresh under way can arrive (CON-5). */
  readonly tokenGraceMs: number;
  readonly flushDelayMaxMs: number;
  /** Bytes of one frame that a client may send; told to it, so that it need not find out. */
  readonly frameBytesMax: number;
  /** Bytes of one connection that wait in its outbound queue (BP-1). */
  readonly outboundBytesMax: number;
  /** Bytes of one connection handed to the transport and not yet taken (BP-2). */
  readonly inFlightBytesMax: number;
  /** Subscriptions of one connection. */
  readonly subscriptionsMax: number;
  /** Commands of one connection a second, in the long run; who sends more is read later. 0: any. */
  readonly commandRateMax: number;
  /** Bytes of one connection a second, in the long run; who sends more is read later. 0: any. */
  readonly receivedBytesRateMax: number;
  /** Publications, calls and messages of one connection a second; more are refused. 0: any. */
  readonly publishRateMax: number;
  /** Subscribes of one connection a second. 0: any. */
  readonly subscribeRateMax: number;
  /** Requests of one connection for history and presence a second. 0: any. */
  readonly readRateMax: number;
  /** Of the same commands, those of one user on this node a second. 0: any. */
  readonly userCommandRateMax: number;
  /** Commands of one connection that wait for an answer. */
  readonly pendingCommandsMax: number;
  /** An rpc method that takes longer is answered with an error. */
  readonly rpcTimeoutMs: number;
  /** Publications in one page of a recovery. */
  readonly recoveryPageMax: number;
  /** Publications in one answer to `history`. */
  readonly historyPageMax: number;
  /** Open connections of the node that have not yet authenticated. */
  readonly unauthenticatedMax: number;
}

/** Bytes of one page of a recovery: a queue always takes one, and has room for others besides. */
export function pageBytesMax({ outboundBytesMax }: Pick<Limits, 'outboundBytesMax'>): number {
  return Math.min(fixedLimits.recoveryPageBytesMax, Math.floor(outboundBytesMax / 4));
}

/** A subscription that is behind reads its next page when less than this waits for its connection. */
export function catchUpRoomBytes({ outboundBytesMax }: Pick<Limits, 'outboundBytesMax'>): number {
  return Math.min(fixedLimits.catchUpQueueBytesMax, Math.floor(outboundBytesMax / 4));
}

/** Bounds that nobody needed to change yet. */
export const fixedLimits = {
  /** Bytes of publications in one page of a recovery; a page holds at least one publication. */
  recoveryPageBytesMax: 256 * 1024,
  /** Bytes of publications in one answer to `history`; one publication always fits. */
  historyPageBytesMax: 1024 * 1024,
  /** A subscription that catches up reads its next page when less than this waits for its connection. */
  catchUpQueueBytesMax: 64 * 1024,
  /** Bytes of one channel with a log that wait for one connection; beyond them it goes on from the log. */
  recoverLaneBytesMax: 512 * 1024,
  /** Milliseconds that a subscription may ask to be between its updates. */
  intervalMaxMs: 60_000,
  /** Publications that a channel keeps at hand while somebody joins or a page is read. Beyond it the log is read again. */
  tailMax: 512,
  tailBytesMax: 1024 * 1024,
  /** Members in one answer to `presence`; more are counted by `presence_stats`. */
  presenceMembersMax: 5_000,
  /** Bytes of an idempotency key as the client sends it. */
  idempotencyKeyBytesMax: 128,
  /** Bytes of the key that `latest_by_key` conflates by. */
  keyBytesMax: 255,
  /** Calls of hooks that one connection has under way; its others wait. */
  hookCallsPerSessionMax: 8,
  /** Tags of one publication. */
  tagsMax: 32,
} as const;

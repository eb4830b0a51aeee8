/**
 * What a namespace promises and allows. A channel `chat:general` belongs to namespace `chat`; a
 * channel without a colon belongs to the namespace named `default`, if there is one.
 */
export interface Namespace {
  readonly name: string;
  /** Publications kept; 0: the channel keeps none, and has no positions. */
  readonly historySize: number;
  readonly historyTtlMs: number;
  /** The log survives the process: acknowledged after commit and sync. Needs `historySize`. */
  readonly durable: boolean;
  readonly presence: boolean;
  /** Subscribers are told who joins and leaves. Needs `presence`. */
  readonly joinLeave: boolean;
  /** What is told: every connection, or a user's first that comes and last that goes. */
  readonly joinLeaveBy: 'connection' | 'user';
  /** Of a user who is back within it no leave is told. Needs `joinLeaveBy` user. */
  readonly presenceGraceMs: number;
  /** `json`: payloads are checked to be JSON. `binary`: any bytes, for Protobuf connections only. */
  readonly payload: 'json' | 'binary';
  /** What a lagging connection is sent of what waits for it (BP-3). */
  readonly delivery: Delivery;
  /** What happens where a connection lags so far that its queue is full (BP-4). */
  readonly overflow: Overflow;
  /** The application is asked whether a client may subscribe, unless it brings a subscription token. */
  readonly subscribeHook: boolean;
  /** The application is asked about each publication of a client. */
  readonly publishHook: boolean;
  readonly allowSubscribe: SubscribeAllowance;
  readonly allowPublish: Allowance;
  readonly allowHistory: Allowance;
  readonly allowPresence: Allowance;
}

/** `all`: everything. `latest`: the newest publication. `latest_by_key`: the newest of each key. */
export type Delivery = 'all' | 'latest' | 'latest_by_key';
/** `auto`: recover where there is history, else disconnect. */
export type Overflow = 'auto' | 'recover' | 'disconnect' | 'drop';
/** `token`: only with a subscription token or a capability. `user`: whoever is not anonymous. */
export type SubscribeAllowance = 'nobody' | 'token' | 'user' | 'anyone';
/** `subscriber`: who is subscribed now. */
export type Allowance = 'nobody' | 'subscriber' | 'user' | 'anyone';

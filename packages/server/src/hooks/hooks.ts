import type { Capability } from '../auth/authenticator.ts';

/**
 * The application is asked, while a client waits: functions in this process, or HTTP calls to a backend.
 * Every implementation passes testkit's `hooksConformance`.
 *
 * Promise: each call settles in time. It resolves to what the application grants, or rejects with a
 * `Rejection` (one command is refused) or a `Disconnect`, never with anything else. An application that
 * hangs, throws or answers garbage is a `Rejection` hookUnavailable, which is temporary: nothing was
 * granted. Payloads are bytes; those that stand in JSON frames are checked to be JSON.
 *
 * A member that is absent is not asked.
 */
export interface Hooks {
  /** `no_token`: clients that bring no token. `everyone`: the others, too, once their token was verified. */
  readonly connectFor: 'no_token' | 'everyone';
  readonly connect?: (ask: ConnectAsk) => Promise<ConnectGrant>;
  /** The time of a session that `connect` let in without a token is over. */
  readonly refresh?: (ask: HookAsk) => Promise<RefreshGrant>;
  readonly subscribe?: (ask: SubscribeAsk) => Promise<SubscribeGrant>;
  /** The time of a subscription that `subscribe` granted is over. */
  readonly subRefresh?: (ask: ChannelAsk) => Promise<RefreshGrant>;
  readonly publish?: (ask: PublishAsk) => Promise<PublishGrant>;
  readonly rpc?: (ask: RpcAsk) => Promise<DataGrant>;
}

export type HookName = Exclude<keyof Hooks, 'connectFor'>;

export const hookNames = [
  'connect',
  'refresh',
  'subscribe',
  'subRefresh',
  'publish',
  'rpc',
] as const satisfies readonly HookName[];

/**
 * One way of asking, before it is guarded: may hang, and may throw whatever it likes. `signal` is aborted when
 * nobody waits any more. `GuardedHooks` makes `Hooks` of it.
 */
export type HookCalls = {
  readonly [Name in HookName]?: (
    ask: Parameters<NonNullable<Hooks[Name]>>[0],
    signal: AbortSignal,
  ) => ReturnType<NonNullable<Hooks[Name]>>;
};

/** Who asks. */
export interface HookAsk {
  /** Id of the session. */
  readonly client: string;
  /** Empty: anonymous. */
  readonly user: string;
  /** Whose user it is; absent: of no tenant. */
  readonly tenant?: string;
  readonly transport: string;
  readonly codec: 'json' | 'protobuf';
  readonly remoteAddress: string;
  /** Of the request that opened the connection: those of the setting `hookHeaders`, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** JSON that `connect` gave to be kept with the session. No client sees it. */
  readonly meta?: Uint8Array;
  /** Bytes that wait for the connection, here and on their way. */
  readonly lagBytes: number;
  /** Last known round trip, milliseconds; absent where the transport cannot tell. */
  readonly lagMs?: number;
}

export interface ConnectAsk extends HookAsk {
  /** True: `user` is of a token that was verified. */
  readonly isVerified: boolean;
  readonly data?: Uint8Array;
  /** What the SDK calls itself. */
  readonly name: string;
  readonly version: string;
}

export interface ChannelAsk extends HookAsk {
  /** Canonical; as the client names it, within its tenant. */
  readonly channel: string;
}

export interface SubscribeAsk extends ChannelAsk {
  readonly data?: Uint8Array;
}

export interface PublishAsk extends ChannelAsk {
  readonly data: Uint8Array;
  /** `json`: `data` is JSON, and so is what takes its place. */
  readonly payload: 'json' | 'binary';
  readonly key?: string;
  /** As the client sent it: one that repeats a publish asks again, with the same key. */
  readonly idempotencyKey?: string;
}

export interface RpcAsk extends HookAsk {
  readonly method: string;
  /** Empty: none. */
  readonly data: Uint8Array;
}

export interface DataGrant {
  /** For the client, with the answer. */
  readonly data?: Uint8Array;
}

export interface ConnectGrant extends DataGrant {
  /** Empty: anonymous. Of a verified client it is the user of the token. */
  readonly user: string;
  /** Whose user it is; absent: of no tenant. Of a verified client it is that of the token. */
  readonly tenant?: string;
  /** Milliseconds since 1970; absent: never. Of no effect beside a token, which has its own. */
  readonly expiresAtMs?: number;
  /** JSON that other subscribers see as `conn_info`. */
  readonly info?: Uint8Array;
  /** JSON. */
  readonly meta?: Uint8Array;
  /** Server-side subscriptions. */
  readonly channels: readonly string[];
  readonly capabilities: readonly Capability[];
}

export interface SubscribeGrant extends DataGrant {
  /** Milliseconds since 1970; absent: never. */
  readonly expiresAtMs?: number;
  /** JSON that other subscribers see as `chan_info`. */
  readonly info?: Uint8Array;
}

export interface RefreshGrant {
  /** Milliseconds since 1970; absent: never. One that is over ends what was to be refreshed. */
  readonly expiresAtMs?: number;
  /** In the place of the former. */
  readonly info?: Uint8Array;
}

/** Published is `data` in the place of the client's, or the client's. */
export type PublishGrant = DataGrant;

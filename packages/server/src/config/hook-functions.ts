/**
 * Hooks as functions of an application, in `tutti.config.ts` or where Tutti is embedded. Each returns, or
 * resolves to, what it grants, or a `HookRefusal`. Nothing (undefined) is granted by returning nothing: that is
 * refused with `permission denied`. One that throws or takes longer than `hookTimeout` is logged, and the client
 * gets a temporary error. Throwing the protocol's own `Rejection` or `Disconnect` is a refusal, too.
 *
 * Values are JSON; a `Uint8Array` stands for bytes as they are.
 */
export interface HookFunctions {
  /** A client without a token connects (with `connectHookFor: 'everyone'`: any client). */
  readonly connect?: (context: ConnectContext) => Answer<ConnectAnswer>;
  /** `expiresAt` of such a client is over. */
  readonly refresh?: (context: HookContext) => Answer<RefreshAnswer>;
  /** A client subscribes, without a subscription token, in a namespace with `subscribeHook`. */
  readonly subscribe?: (context: SubscribeContext) => Answer<SubscribeAnswer>;
  /** `expiresAt` of such a subscription is over. */
  readonly subRefresh?: (context: ChannelContext) => Answer<RefreshAnswer>;
  /** A client publishes in a namespace with `publishHook`. */
  readonly publish?: (context: PublishContext) => Answer<DataAnswer>;
  /** A client calls a method that is not among `rpc`. */
  readonly rpc?: (context: RpcHookContext) => Answer<DataAnswer>;
  /** A connection has ended. Nothing waits for it; what it returns is ignored. */
  readonly disconnect?: (context: EndContext & { readonly byPeer: boolean }) => unknown;
  /** A subscription has ended, by its client, by the server, or with its connection. */
  readonly unsubscribe?: (context: EndContext & { readonly channel: string }) => unknown;
}

type Answer<Granted> = Granted | HookRefusal | undefined | Promise<Granted | HookRefusal | undefined>;

/** Codes of errors: 400 to 1999. Of disconnects: 4000 to 4499 (the client comes back), 4500 to 4999 (it does not). */
export type HookRefusal =
  | { readonly error: { readonly code: number; readonly message: string; readonly temporary?: boolean } }
  | { readonly disconnect: { readonly code: number; readonly reason: string } };

export interface HookContext {
  /** Id of the connection. */
  readonly client: string;
  /** Empty: anonymous, or not known yet. */
  readonly user: string;
  /** Whose user it is, where the node has tenants. */
  readonly tenant: string | undefined;
  readonly transport: string;
  readonly codec: 'json' | 'protobuf';
  readonly remoteAddress: string;
  /** Of the request that opened the connection: those of `hookHeaders`, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  /** What `connect` gave to be kept. No client sees it. */
  readonly meta: unknown;
  /** How far the connection lags: bytes that wait for it, and its last known round trip in milliseconds. */
  readonly lag: { readonly bytes: number; readonly ms: number | undefined };
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

export interface ConnectContext extends HookContext {
  /** True: `user` is of a token that was verified. */
  readonly isVerified: boolean;
  readonly data: unknown;
  /** What the SDK calls itself. */
  readonly name: string;
  readonly version: string;
}

export interface ChannelContext extends HookContext {
  readonly channel: string;
}

export interface SubscribeContext extends ChannelContext {
  readonly data: unknown;
}

export interface PublishContext extends ChannelContext {
  readonly data: unknown;
  readonly key: string | undefined;
  /** A client that repeats a publish asks again, with the same key. */
  readonly idempotencyKey: string | undefined;
}

export interface RpcHookContext extends HookContext {
  readonly method: string;
  readonly data: unknown;
}

/** What is known of a session that ended, or is about to. */
export interface EndContext {
  readonly client: string;
  readonly user: string;
  readonly tenant: string | undefined;
  readonly transport: string;
  readonly remoteAddress: string;
  readonly lag: { readonly bytes: number };
  readonly code: number;
  readonly reason: string;
}

export interface DataAnswer {
  /** `rpc`: the answer. `publish`: published in the place of what the client sent. Else: for the client. */
  readonly data?: unknown;
}

export interface ConnectAnswer extends DataAnswer {
  /** May be left out where it `isVerified`. */
  readonly user?: string;
  /** Whose user it is. Needed where the node has tenants; empty: the operator's own. */
  readonly tenant?: string;
  /** Milliseconds since 1970, or a date; left out: never. Of no effect beside a token. */
  readonly expiresAt?: number | Date;
  /** Other subscribers see it. */
  readonly info?: unknown;
  /** Kept with the session for later hooks. */
  readonly meta?: unknown;
  /** The server subscribes the client to these. */
  readonly channels?: readonly string[];
  /** Rights beyond what the namespaces allow, as in the claim `caps` of a token. */
  readonly capabilities?: readonly {
    readonly channels: readonly string[];
    readonly allow: readonly ('subscribe' | 'publish' | 'history' | 'presence')[];
  }[];
}

export interface SubscribeAnswer extends DataAnswer {
  readonly expiresAt?: number | Date;
  readonly info?: unknown;
}

export interface RefreshAnswer {
  /** Left out: it goes on for ever. */
  readonly expiresAt?: number | Date;
  /** True: it has ended. */
  readonly expired?: boolean;
  /** In the place of the former. */
  readonly info?: unknown;
}

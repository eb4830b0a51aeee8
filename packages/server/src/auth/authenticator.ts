/** The token may not be believed. The message is for logs: it never repeats the token. */
export class BadToken extends Error {
  readonly expired: boolean;

  constructor(message: string, options: { expired?: boolean } = {}) {
    super(message);
    this.name = 'BadToken';
    this.expired = options.expired ?? false;
  }
}

/**
 * Who is this? Answers in time or throws: `Rejection` (tokenExpired: fetch another),
 * `Disconnect` (invalidToken: give up). Nothing of a token is believed before its signature.
 * Where a token was refused that nobody may have issued, the `cause` is a `BadToken` (S9).
 */
export interface Authenticator {
  connect(attempt: ConnectAttempt): Promise<Identity>;
  /** A new token for a living connection. Throws `Disconnect` where it belongs to another user. */
  refresh(token: string, identity: Identity): Promise<Identity>;
  /** A token that opens one channel to one user. Throws `Rejection`. */
  subscription(token: string, identity: Identity, channel: string): Promise<SubscriptionGrant>;
  /** Lets go of what it keeps up to date. */
  close?(): void;
}

export interface ConnectAttempt {
  /** Empty where the client sent none. */
  readonly token: string;
  readonly data?: Uint8Array;
  readonly name: string;
  readonly version: string;
  readonly remoteAddress: string;
}

export interface Identity {
  /** Empty for an anonymous user. Tells nobody apart across tenants: two may have an `ann` each. */
  readonly user: string;
  /** Whose user it is; absent or empty: nobody's in particular (config/tenant.ts). */
  readonly tenant?: string;
  /** Milliseconds since 1970; absent: never. */
  readonly expiresAtMs?: number;
  /** What a token is revoked by: its `jti`, or something that stands for it where it has none. Absent: it came without. */
  readonly tokenId?: string;
  /** When it was given, milliseconds since 1970. Absent: unknown, and older than any revocation of its user. */
  readonly issuedAtMs?: number;
  /** Payload that other subscribers see as `conn_info`. */
  readonly info?: Uint8Array;
  /** Server-side subscriptions. */
  readonly channels: readonly string[];
  readonly capabilities: readonly Capability[];
  /** What a connect hook gave. */
  readonly fromHook?: FromHook;
}

export interface FromHook {
  /** There is no token beside it: the node itself asks for a refresh, and not the client. */
  readonly isAlone: boolean;
  /** JSON, kept for later hooks. */
  readonly meta?: Uint8Array;
  /** What it added to the token, to be added to the next one, too. */
  readonly info?: Uint8Array;
  readonly channels?: readonly string[];
  readonly capabilities?: readonly Capability[];
}

export type Verb = 'subscribe' | 'publish' | 'history' | 'presence';

/** Rights that a token carries, beyond what the namespaces allow. */
export interface Capability {
  /** Exact channel names, or with a trailing `*` any that begin so; `*` alone is every channel. */
  readonly channels: readonly string[];
  readonly allow: readonly Verb[];
}

export interface SubscriptionGrant {
  /** Milliseconds since 1970; absent: never. */
  readonly expiresAtMs?: number;
  /** As of an identity. */
  readonly tokenId?: string;
  readonly issuedAtMs?: number;
  /** Payload that other subscribers see as `chan_info`. */
  readonly info?: Uint8Array;
}

import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import type { ClientInfo, DisconnectKind, Position, Publication } from '@tutti/protocol';
import type { Engine } from './engine.ts';
import type { HookFunctions } from './config/hook-functions.ts';
import type { RpcHandler } from './config/rpc-handler.ts';
import type { Settings, WrittenSettings } from './config/options.ts';
import type { Reached } from './core/cluster-directory.ts';
import type { DrainProgress, DrainReport } from './core/drain.ts';
import type { NodeFigures } from './core/node.ts';
import type { Log } from './telemetry/telemetry.ts';

export interface ServerOptions {
  /** All settings, as `loadConfig` reads them. This or `config`. */
  readonly settings?: Settings;
  /** Settings as in a configuration file; what is not said has its default. All that is wrong is said at once. */
  readonly config?: WrittenSettings;
  /**
   * The application's own server, in place of one for the node: then `host` and `port` mean nothing, and the node
   * has the paths below `prefix` and no page. Everything else stays the application's, its end, too.
   */
  readonly server?: HttpServer | HttpsServer;
  /** Ahead of the node's paths on `server`. Default `/tutti`; empty for none. */
  readonly prefix?: string;
  /** Methods that clients may call. */
  readonly rpc?: Readonly<Record<string, RpcHandler>>;
  /** Instead of the one that `settings.engine` names: an adapter of your own (docs/spec/README.md), or a test's. */
  readonly engine?: Engine;
  /** Asked, and told, while clients wait. */
  readonly hooks?: HookFunctions;
  /** Default: JSON lines on standard output, at the level of the settings. */
  readonly log?: Log;
  /** Folder of the built dashboard; false serves none. Default: where the dashboard's build puts it. */
  readonly dashboard?: string | false;
}

/** A running node, for the program that embeds it. The application's rights are not limited. */
export interface TuttiServer {
  /** Where it listens, such as `http://127.0.0.1:8000`; empty while the application's server does not. */
  readonly url: string;
  /** Publishes `data` as JSON (a `Uint8Array` as it is). Throws `Rejection`, `PositionConflict`, `Fault`. */
  publish(channel: string, data: unknown, options?: ServerPublishOptions): Promise<ServerPublishResult>;
  /** A page of kept publications with their payloads as bytes. */
  history(channel: string, options?: { since?: Position; limit?: number; reverse?: boolean }): Promise<ServerHistory>;
  presence(channel: string): Promise<readonly ClientInfo[]>;
  /**
   * In the order of the users: who is connected to any node, else when that was last, milliseconds since 1970
   * (absent: never, or forgotten). Throws `Rejection` where it is not kept, `Fault`.
   */
  lastSeen(users: readonly string[]): Promise<readonly { online: boolean; lastSeen?: number }[]>;
  /**
   * Ends a user's connections, on every node. The code says whether the clients come back
   * (`isReconnectCode`); by default `forceDisconnect`, they do not. Codes: 3000 to 4999; throws `Rejection` for others.
   */
  disconnect(user: string, kind?: DisconnectKind): Promise<Reached>;
  /**
   * Ends a user's subscriptions to a channel, on every node. By default for good; with a code of 2500 or
   * more the clients subscribe again.
   */
  unsubscribe(user: string, channel: string, kind?: DisconnectKind): Promise<Reached>;
  /**
   * Ends what a user, a token or a connection was allowed, on every node, and keeps it from coming back with the
   * same token. Resolves when it is on the list. Throws `Rejection` (a full list), `Fault`.
   */
  revoke(whom: RevokedSubject): Promise<void>;
  /** The same for one tenant: its channels, and its users. Needs the option `tenantClaim`. Throws `Rejection` for a name no tenant can have. */
  within(tenant: string): TenantFace;
  figures(): NodeFigures;
  /** Where its metrics are, such as `http://127.0.0.1:8000/metrics`; empty where an attached node has no `metricsPort`. */
  readonly metricsUrl: string;
  /**
   * Not ready, no new connections; sends the clients away spread over `drainTime`, each with a hint when
   * to return, after what it published was answered (CON-3); then closes. Idempotent. `onProgress`: about
   * once a second. Throws where closing fails.
   */
  drain(onProgress?: (progress: DrainProgress) => void): Promise<DrainReport>;
  /** At once: stops accepting, ends the connections with the advice to reconnect, commits what was accepted. Idempotent. */
  close(): Promise<void>;
}

/** What of a node belongs to a tenant. */
export type TenantFace = Pick<
  TuttiServer,
  'publish' | 'history' | 'presence' | 'lastSeen' | 'disconnect' | 'unsubscribe' | 'revoke'
>;

/** `issuedBefore`, `expires`: milliseconds since 1970; see `revoke` in docs/guides/revocation.md. */
export type RevokedSubject =
  | { readonly user: string; readonly issuedBefore?: number }
  | { readonly jti: string; readonly expires?: number }
  | { readonly client: string };

export interface ServerPublishOptions {
  /** A repetition within the window takes effect once (DEL-6). */
  readonly idempotencyKey?: string;
  readonly key?: string;
  readonly final?: boolean;
  readonly tags?: Record<string, string>;
  /** Only where the channel is exactly there. */
  readonly expected?: Position;
}

export interface ServerPublishResult {
  /** Absent where the channel keeps no history. */
  readonly position?: Position;
  readonly duplicate: boolean;
}

export interface ServerHistory {
  readonly publications: readonly Publication[];
  readonly top: Position;
}

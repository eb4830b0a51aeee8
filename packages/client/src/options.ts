import type { ClientCodec } from './client-codec.ts';
import type { Clock, FetchLike, Random, WatchNetwork, WebSocketConstructor } from './platform.ts';
import { systemClock, systemFetch, systemRandom, systemWebSocket, watchNetwork } from './platform.ts';
import { jsonCodec } from './json-codec.ts';
import type { TokenGetter } from './token-source.ts';
import { transportNames, type TransportName } from './transports.ts';

export interface TuttiOptions {
  /** The connection token. With `getToken` as well, it is used until it expires. */
  token?: string;
  /** Fetches a connection token: at first, and whenever the last one runs out. */
  getToken?: TokenGetter;
  /** Sent with the connect command, for the server's hooks. */
  data?: unknown;
  /** Name and version of the application, as the server's console and logs show them. */
  name?: string;
  version?: string;
  /** Connect at once, at the end of this turn of the loop (default true). */
  autoConnect?: boolean;
  /** JSON by default; `protobuf()` from `@tutti/client/protobuf` for the other. */
  codec?: ClientCodec;
  /** Ceiling of the first back-off delay, milliseconds (default 500). */
  reconnectMinMs?: number;
  /** Ceiling of every back-off delay, milliseconds (default 20,000). */
  reconnectMaxMs?: number;
  /** The back-off starts anew after a connection that lasted this long, milliseconds (default 10,000). */
  stableMs?: number;
  /** Longest wait for a connection, a token, or an answer, milliseconds (default 10,000). */
  timeoutMs?: number;
  /** Silence beyond the server's ping interval that means the connection is dead, milliseconds (default 10,000). */
  heartbeatGraceMs?: number;
  /** Requests that may wait for a connection or an answer at a time (default 1,000). */
  pendingMax?: number;
  /** Requests sent and not yet answered at a time; more wait (default 100; the server's default limit is 256 commands). */
  inFlightMax?: number;
  /** Bytes that `send()` may leave in the socket's buffer (default 1 MiB). */
  bufferedBytesMax?: number;
  /** Bytes of one outgoing frame that holds several commands (default 60,000), where the server does not ask for smaller ones. */
  frameBytesMax?: number;
  /**
   * Ways to the server, the first choice first (default: all, WebSocket first). Those beside WebSocket are
   * for servers of this project, where the URL ends in `/connection/websocket`.
   */
  transports?: readonly TransportName[];
  WebSocket?: WebSocketConstructor;
  fetch?: FetchLike;
  clock?: Clock;
  random?: Random;
  watchNetwork?: WatchNetwork;
}

/** The options with every default filled in. */
export type Settings = Required<Omit<TuttiOptions, Optional>> & Pick<TuttiOptions, Optional>;
type Optional = 'token' | 'getToken' | 'data' | 'name' | 'version' | 'WebSocket' | 'fetch';

export function settingsFrom(options: TuttiOptions): Settings {
  const settings: Settings = {
    autoConnect: true,
    codec: jsonCodec,
    reconnectMinMs: 500,
    reconnectMaxMs: 20_000,
    stableMs: 10_000,
    timeoutMs: 10_000,
    heartbeatGraceMs: 10_000,
    pendingMax: 1_000,
    inFlightMax: 100,
    bufferedBytesMax: 1024 * 1024,
    frameBytesMax: 60_000,
    clock: systemClock,
    random: systemRandom,
    watchNetwork,
    transports: transportNames,
    ...(systemWebSocket && { WebSocket: systemWebSocket }),
    ...(systemFetch && { fetch: systemFetch }),
    ...options,
  };
  for (const [name, value] of Object.entries(settings)) {
    if (typeof value === 'number' && !(value > 0)) throw new RangeError(`${name} must be above 0, not ${value}`);
  }
  return settings;
}

/** Of the ways that are wanted those that there are. Throws where there is none. */
export function usableTransports(url: string, { transports, WebSocket, fetch, codec }: Settings): TransportName[] {
  const isHttpUsable = fetch !== undefined && codec.http !== undefined && /\/connection\/websocket(?=$|\?)/.test(url);
  const usable = transports.filter((name) =>
    name === 'websocket' ? WebSocket !== undefined : isHttpUsable && (name !== 'sse' || codec.name === 'json'),
  );
  if (usable.length === 0) {
    throw new Error(
      'no way to the server: no WebSocket here (Node before 22? pass { WebSocket }), and no other transport',
    );
  }
  return usable;
}

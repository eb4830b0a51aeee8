/**
 * Why a connection or a subscription was ended by the server. The range is the advice:
 * 3000–3499 and 4000–4499 reconnect, 3500–3999 and 4500–4999 do not
 * (RFC 6455 section 7.4.2 leaves 3000–3999 to libraries and 4000–4999 to applications).
 */

export interface DisconnectKind {
  readonly code: number;
  readonly reason: string;
  /** For operators and the reference page. */
  readonly meaning: string;
}

function kind(code: number, reason: string, meaning: string): DisconnectKind {
  return { code, reason, meaning };
}

export const disconnects = {
  connectionClosed: kind(3000, 'connection closed', 'The transport ended without a reason of its own.'),
  shutdown: kind(3001, 'shutdown', 'The node is stopping; another, or the same one, will take the connection.'),
  internal: kind(3004, 'internal server error', 'An assertion failed in this session; the node log has the cause.'),
  connectionExpired: kind(3005, 'connection expired', 'The token ran out and was not refreshed within the grace.'),
  subscriptionExpired: kind(3006, 'subscription expired', 'A server-side subscription ran out.'),
  slow: kind(3008, 'slow', 'The peer reads slower than its channels are published and the queue reached its bound.'),
  writeError: kind(3009, 'write error', 'The transport could not be written to.'),
  insufficientState: kind(
    3010,
    'insufficient state',
    'Publications may be missing; reconnecting recovers them from the log.',
  ),
  forceReconnect: kind(3011, 'force reconnect', 'An operator asked the client to reconnect.'),
  noPong: kind(3012, 'no pong', 'The peer did not answer a ping in time.'),
  tooManyRequests: kind(3013, 'too many requests', 'The connection exceeded a rate limit.'),
  stateInvalidated: kind(3014, 'state invalidated', 'What the session was allowed or held has changed.'),
  invalidToken: kind(
    3500,
    'invalid token',
    'The token is malformed, not signed by a known key, or not for this server.',
  ),
  badRequest: kind(3501, 'bad request', 'The peer broke the protocol; the node log at level debug says how.'),
  stale: kind(3502, 'stale', 'The peer did not authenticate in time.'),
  forceDisconnect: kind(3503, 'force disconnect', 'An operator ended the connection.'),
  connectionLimit: kind(3504, 'connection limit', 'The node or the user has as many connections as allowed.'),
  channelLimit: kind(3505, 'channel limit', 'The connection has as many subscriptions as allowed.'),
  inappropriateProtocol: kind(3506, 'inappropriate protocol', 'The transport cannot carry what was asked for.'),
  permissionDenied: kind(3507, 'permission denied', 'The connection is not allowed.'),
  notAvailable: kind(3508, 'not available', 'The feature is not configured on this server.'),
  tooManyErrors: kind(3509, 'too many errors', 'Too many commands of this connection were refused.'),
} as const satisfies Record<string, DisconnectKind>;

export const unsubscribes = {
  client: kind(0, 'unsubscribe called', 'The client asked.'),
  disconnect: kind(1, 'disconnect', 'The connection ended.'),
  server: kind(2000, 'server unsubscribe', 'The server ended the subscription.'),
  insufficientState: kind(2500, 'insufficient state', 'Publications may be missing; SDKs resubscribe and recover.'),
  expired: kind(2501, 'expired', 'The subscription token ran out; SDKs resubscribe with a new one.'),
  stateInvalidated: kind(2502, 'state invalidated', 'What the subscription was allowed has changed; SDKs resubscribe.'),
} as const satisfies Record<string, DisconnectKind>;

/** True where the code tells the client to come back. */
export function isReconnectCode(code: number): boolean {
  return code < 3500 || (code >= 4000 && code < 4500) || code > 4999;
}

/** True where a server may end a connection with it: no close frame carries another. */
export function isDisconnectCode(code: number): boolean {
  return Number.isInteger(code) && code >= 3000 && code <= 4999;
}

/** Ends a connection with a close code. Thrown where the reason is known, by applications, too. */
export class Disconnect extends Error {
  readonly kind: DisconnectKind;

  /** Throws `RangeError` for a code that is none. */
  constructor(kind: DisconnectKind, detail?: string) {
    if (!isDisconnectCode(kind.code)) throw new RangeError(`a code is from 3000 to 4999, not ${kind.code}`);
    super(detail ?? kind.meaning);
    this.name = 'Disconnect';
    this.kind = kind;
  }
}

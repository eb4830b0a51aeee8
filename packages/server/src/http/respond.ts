import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

/** The page runs its own scripts only, so a hostile channel name that became markup still runs nothing. */
const contentSecurityPolicy = [
  "default-src 'self'",
  "connect-src 'self' ws: wss:",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const commonHeaders = {
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'X-Frame-Options': 'DENY',
  'Content-Security-Policy': contentSecurityPolicy,
};

export interface HttpBody {
  readonly type: string;
  readonly bytes: Buffer;
}

export function jsonBody(value: unknown): HttpBody {
  return { type: 'application/json; charset=utf-8', bytes: Buffer.from(`${JSON.stringify(value)}\n`) };
}

/** `remedy`: what to do, or what exists instead. */
export function errorBody(message: string, remedy?: string): HttpBody {
  return jsonBody({ error: remedy === undefined ? { message } : { message, remedy } });
}

/** One answer, with the headers that every answer carries. HEAD gets the headers alone. */
export function respond(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  body: HttpBody,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    ...commonHeaders,
    'Cache-Control': 'no-store',
    'Content-Type': body.type,
    'Content-Length': String(body.bytes.length),
    ...headers,
  });
  if (request.method === 'HEAD' || status === 304) response.end();
  else response.end(body.bytes);
}

/**
 * An answer on a socket that is no HTTP connection any more, and its end: after a failed request to
 * upgrade nothing else is read from it (S4). `destroySoon` ends it also where the peer does not.
 */
export function respondAndEnd(
  socket: Duplex & { destroySoon?: () => void },
  status: number,
  body: HttpBody,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const lines = Object.entries({
    Connection: 'close',
    'Content-Type': body.type,
    'Content-Length': String(body.bytes.length),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}\r\n${lines.join('')}\r\n`);
  socket.write(body.bytes);
  if (socket.destroySoon === undefined) socket.end(() => socket.destroy());
  else socket.destroySoon();
}

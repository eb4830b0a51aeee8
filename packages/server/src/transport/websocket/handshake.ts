import type { UpgradeRefusal } from '../transport.ts';
import { isOriginAllowed, parseAuthority, type OriginRules } from '../origin.ts';

/** What of a request to upgrade is looked at. `rawHeaders`: names and values in turn, as node:http has them. */
export interface HandshakeRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersion: string;
  readonly rawHeaders: readonly string[];
}

export type Handshake =
  | { readonly accepted: true; readonly format: 'json' | 'protobuf' }
  | { readonly accepted: false; readonly refusal: UpgradeRefusal };

export const protobufSubprotocol = 'centrifuge-protobuf';

/** The headers read here; each may come once. A second Host or key is how requests are smuggled (S4). */
const single = new Set([
  'host',
  'origin',
  'upgrade',
  'sec-websocket-key',
  'sec-websocket-version',
  'content-length',
  'transfer-encoding',
]);
/** These are lists by their standard, and may be spread over several lines. */
const lists = new Set(['connection', 'sec-websocket-protocol']);

/** 16 bytes in base64: the last character before the padding carries two bits only. */
const keyPattern = /^[+/0-9A-Za-z]{21}[AQgw]==$/;
const tokenPattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * Judges a request to upgrade by RFC 6455 section 4.2.1, stricter where it leaves room: status 101 is
 * given only to a request that is valid in every part, because proxies in front believe that status (S4).
 * A pure function of hostile input: never throws (S2).
 */
export function checkHandshake(request: HandshakeRequest, rules: OriginRules): Handshake {
  if (request.method !== 'GET') return refuse(405, 'a WebSocket is opened with GET', { Allow: 'GET' });
  if (request.httpVersion !== '1.1') return refuse(400, 'a WebSocket is opened over HTTP/1.1');
  const headers = collectHeaders(request.rawHeaders);
  if (typeof headers === 'string') return refuse(400, `the header ${headers} came more than once`);
  if (headers.get('upgrade')?.toLowerCase() !== 'websocket')
    return refuse(400, 'the Upgrade header is not "websocket"');
  if (!listOf(headers.get('connection')).some((token) => token.toLowerCase() === 'upgrade')) {
    return refuse(400, 'the Connection header does not say "Upgrade"');
  }
  if (headers.has('transfer-encoding') || (headers.get('content-length') ?? '0') !== '0') {
    return refuse(400, 'a request to upgrade has no body');
  }
  if (headers.get('sec-websocket-version') !== '13') {
    return refuse(426, 'WebSocket version 13 is spoken here', { 'Sec-WebSocket-Version': '13', Upgrade: 'websocket' });
  }
  if (!keyPattern.test(headers.get('sec-websocket-key') ?? ''))
    return refuse(400, 'the Sec-WebSocket-Key is not 16 bytes');
  const host = parseAuthority(headers.get('host') ?? '');
  if (host === undefined) return refuse(400, 'the Host header is missing or malformed');
  if (!isOriginAllowed(headers.get('origin'), host, rules)) {
    return refuse(403, 'this page may not connect; the operator can add its origin to allowedOrigins');
  }
  const subprotocols = listOf(headers.get('sec-websocket-protocol'));
  if (!subprotocols.every((name) => tokenPattern.test(name)))
    return refuse(400, 'the Sec-WebSocket-Protocol is malformed');
  if (new Set(subprotocols).size !== subprotocols.length) return refuse(400, 'a subprotocol is offered twice');
  const isProtobuf = subprotocols.includes(protobufSubprotocol) || asksForProtobuf(request.url ?? '');
  return { accepted: true, format: isProtobuf ? 'protobuf' : 'json' };
}

function refuse(status: number, message: string, headers?: Record<string, string>): Handshake {
  return { accepted: false, refusal: headers === undefined ? { status, message } : { status, message, headers } };
}

/** The headers this module reads, or the name of one that may come once and came twice. */
function collectHeaders(rawHeaders: readonly string[]): Map<string, string> | string {
  const found = new Map<string, string>();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] ?? '').toLowerCase();
    const value = rawHeaders[i + 1] ?? '';
    const earlier = found.get(name);
    if (lists.has(name)) found.set(name, earlier === undefined ? value : `${earlier},${value}`);
    else if (single.has(name)) {
      if (earlier !== undefined) return name;
      found.set(name, value);
    }
  }
  return found;
}

function listOf(value: string | undefined): string[] {
  return value === undefined ? [] : value.split(',').map((item) => item.trim());
}

function asksForProtobuf(url: string): boolean {
  const start = url.indexOf('?');
  if (start < 0) return false;
  const query = new URLSearchParams(url.slice(start + 1));
  return query.get('format') === 'protobuf' || query.get('cf_protocol') === 'protobuf';
}

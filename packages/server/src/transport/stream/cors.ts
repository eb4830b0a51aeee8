import type { IncomingMessage } from 'node:http';

/** How long a browser may remember that a page may ask, seconds. */
const rememberSeconds = 600;

/**
 * What a browser must read to let a page of an allowed origin see the answer. No credentials: nothing
 * here is done in the name of a cookie, and the token is in the request.
 */
export function corsHeaders(request: IncomingMessage): Record<string, string> {
  const { origin } = request.headers;
  return origin === undefined ? { Vary: 'Origin' } : { 'Access-Control-Allow-Origin': origin, Vary: 'Origin' };
}

/** The answer to the question before a request of another origin, besides `corsHeaders`. */
export function preflightHeaders(methods: readonly string[]): Record<string, string> {
  return {
    'Access-Control-Allow-Methods': methods.join(', '),
    'Access-Control-Allow-Headers': 'Authorization, Content-Type, Cache-Control, If-None-Match, Last-Event-ID',
    'Access-Control-Max-Age': String(rememberSeconds),
  };
}

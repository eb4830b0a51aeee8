import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ApiKey } from '../config/api-key.ts';
import { errorBody, respond } from '../http/respond.ts';
import type { ApiPace } from './api-route.ts';
import { judgeKeys, presentedKey } from './keys.ts';

interface Route {
  readonly methods: readonly string[];
  handle(request: IncomingMessage, response: ServerResponse): void | Promise<void>;
}

interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A route for those who show a key of the server API that has this right (S28). Guesses are slowed down as there (S9). */
export function guardedRoute(route: Route, keys: readonly ApiKey[], right: string, pace: ApiPace): Route {
  const judge = judgeKeys(keys, right);
  const remedy = `Send one of apiKeys that has the right "${right}" as X-API-Key, or as Authorization: apikey KEY.`;
  /** Undefined: it may pass. */
  const refusalOf = (request: IncomingMessage): Refusal | undefined => {
    const waitMs = pace.waitOfAddress(request);
    if (waitMs > 0) {
      const headers = { 'Retry-After': String(Math.ceil(waitMs / 1_000)) };
      return { status: 429, message: 'too many unknown keys came from this address', headers };
    }
    const presented = presentedKey(request);
    const worth = presented === undefined ? 'unknown' : judge(presented);
    if (worth === 'allowed') return undefined;
    if (worth === 'forbidden') return { status: 403, message: `the API key has not the right "${right}"` };
    if (presented !== undefined) pace.failed(request);
    const message = presented === undefined ? 'the request carries no API key' : 'the API key is not known';
    return { status: 401, message, headers: { 'WWW-Authenticate': 'apikey' } };
  };
  return {
    methods: route.methods,
    handle: async (request, response) => {
      const refusal = refusalOf(request);
      if (refusal === undefined) await route.handle(request, response);
      else respond(request, response, refusal.status, errorBody(refusal.message, remedy), refusal.headers);
    },
  };
}

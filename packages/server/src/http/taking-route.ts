import type { IncomingMessage, ServerResponse } from 'node:http';
import type { UpgradeRefusal } from '../transport/transport.ts';
import type { HttpRoute } from './dispatcher.ts';
import { errorBody, respond } from './respond.ts';

/** Takes the response to a request, or says why not: then nothing was written to it. */
export interface RequestTaker {
  readonly methods: readonly string[];
  /** It reads bodies to their end, or has the connection ended. */
  readonly readsBody: boolean;
  handle(request: IncomingMessage, response: ServerResponse): Promise<UpgradeRefusal | undefined>;
}

/** A route whose responses are its taker's; refusals are answered here. */
export function takingRoute(taker: RequestTaker): HttpRoute {
  return {
    methods: taker.methods,
    readsBody: taker.readsBody,
    handle: async (request, response) => {
      const refusal = await taker.handle(request, response);
      if (refusal === undefined || response.destroyed) return;
      respond(request, response, refusal.status, errorBody(refusal.message), refusal.headers);
    },
  };
}

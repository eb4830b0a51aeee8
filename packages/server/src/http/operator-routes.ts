import type { HttpRoute } from './http-server.ts';
import { jsonBody, respond } from './respond.ts';

/** `/ready`: 200 while the node should be sent new connections, else 503. */
export function readyRoute(check: () => Promise<{ readonly ready: boolean; readonly draining: boolean }>): HttpRoute {
  return {
    methods: ['GET', 'HEAD'],
    handle: async (request, response) => {
      const { ready, draining } = await check();
      respond(request, response, ready ? 200 : 503, jsonBody(ready ? { ready } : { ready, draining }));
    },
  };
}

/** `/metrics`: the page of a metrics system, made anew for each request. */
export function metricsRoute(metrics: { readonly contentType: string; page(): Promise<string> }): HttpRoute {
  return {
    methods: ['GET', 'HEAD'],
    handle: async (request, response) => {
      const bytes = Buffer.from(await metrics.page());
      respond(request, response, 200, { type: metrics.contentType, bytes });
    },
  };
}

/** The same JSON each time. */
export function jsonRoute(value: unknown): HttpRoute {
  const body = jsonBody(value);
  return {
    methods: ['GET', 'HEAD'],
    handle: (request, response) => {
      respond(request, response, 200, body);
    },
  };
}

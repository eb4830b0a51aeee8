import type { HttpRoute } from './dispatcher.ts';
import { jsonBody, respond } from './respond.ts';

export interface ShownReadiness {
  readonly ready: boolean;
  readonly draining: boolean;
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly sinceMs: number }[];
}

/**
 * `/ready`: 200 while the node should be sent new connections, else 503, and for each check whether it
 * succeeds and since when. It tells what is known already, and no words of a failure (S28).
 */
export function readyRoute(report: () => ShownReadiness): HttpRoute {
  return {
    methods: ['GET', 'HEAD'],
    handle: (request, response) => {
      const { ready, draining, checks } = report();
      const shown = checks.map(({ sinceMs, ...check }) => ({ ...check, since: new Date(sinceMs).toISOString() }));
      respond(request, response, ready ? 200 : 503, jsonBody({ ready, draining, checks: shown }));
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

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Entrance } from '../entrance.ts';
import { isPageAllowed, type OriginRules } from '../origin.ts';
import type { UpgradeRefusal } from '../transport.ts';
import { corsHeaders, preflightHeaders } from './cors.ts';

/** Of a body that nobody reads the rest would be taken for the next request. */
export const closing = { Connection: 'close' };

/** Which pages may ask for a stream, or send to one; and refusals that a page may read. */
export class Gate {
  readonly #rules: OriginRules;
  readonly #entrance: Pick<Entrance, 'count'>;

  constructor(rules: OriginRules, entrance: Pick<Entrance, 'count'>) {
    this.#rules = rules;
    this.#entrance = entrance;
  }

  /** Why the page of this request may not ask; undefined: it may. Each header counts only if it came once (S1, S4). */
  checkPage(request: IncomingMessage): UpgradeRefusal | undefined {
    const { host, origin, 'sec-fetch-site': fetchSite } = request.headersDistinct;
    if ((host?.length ?? 0) > 1 || (origin?.length ?? 0) > 1) {
      return this.malformed('the header Host or Origin came more than once');
    }
    const told = { host: host?.[0], origin: origin?.[0], fetchSite: fetchSite?.[0] };
    if (isPageAllowed(told, this.#rules)) return undefined;
    this.#entrance.count('origin');
    return { status: 403, message: 'this page may not connect; the operator can add its origin to allowedOrigins' };
  }

  malformed(message: string, status = 400): UpgradeRefusal {
    this.#entrance.count('malformed');
    return { status, message, headers: closing };
  }

  /** Answers OPTIONS. */
  preflight(
    request: IncomingMessage,
    response: ServerResponse,
    methods: readonly string[],
  ): UpgradeRefusal | undefined {
    const refusal = this.checkPage(request);
    if (refusal !== undefined) return refusal;
    response.writeHead(204, { ...corsHeaders(request), ...preflightHeaders(methods) });
    response.end();
    return undefined;
  }
}

/** A page of an allowed origin is let read why it was refused. */
export function readable(request: IncomingMessage, refusal: UpgradeRefusal): UpgradeRefusal {
  return { ...refusal, headers: { ...corsHeaders(request), ...refusal.headers } };
}

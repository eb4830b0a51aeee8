import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import { isPageAllowed, type OriginRules } from '../origin.ts';
import type { NoPlace } from '../places.ts';
import { Places } from '../places.ts';
import type { AddressRefusal, UpgradeRefusal } from '../transport.ts';
import { corsHeaders, preflightHeaders } from './cors.ts';

/** Of bounds that do not say when they are free again. Clients add their own jitter (CON-4). */
const retryAfterMs = 1_000;

/** What every request to a stream, or for one, has to pass. */
export class Gate {
  readonly #rules: OriginRules;
  readonly #telemetry: Telemetry;

  constructor(rules: OriginRules, telemetry: Telemetry) {
    this.#rules = rules;
    this.#telemetry = telemetry;
  }

  /** Why the page of this request may not ask; undefined: it may. Each header counts only if it came once (S1, S4). */
  checkPage(request: IncomingMessage): UpgradeRefusal | undefined {
    const { host, origin, 'sec-fetch-site': fetchSite } = request.headersDistinct;
    if ((host?.length ?? 0) > 1 || (origin?.length ?? 0) > 1) {
      return this.malformed('the header Host or Origin came more than once');
    }
    const told = { host: host?.[0], origin: origin?.[0], fetchSite: fetchSite?.[0] };
    if (isPageAllowed(told, this.#rules)) return undefined;
    this.#count('origin');
    return { status: 403, message: 'this page may not connect; the operator can add its origin to allowedOrigins' };
  }

  malformed(message: string, status = 400): UpgradeRefusal {
    this.#count('malformed');
    // Of a body that nobody reads the rest would be taken for the next request.
    return { status, message, headers: { Connection: 'close' } };
  }

  full(reason: NoPlace): UpgradeRefusal {
    return this.busy(reason, Places.message(reason));
  }

  tooOften({ reason, message, retryAfterMs: returnMs }: AddressRefusal): UpgradeRefusal {
    return { ...this.busy(reason, message, returnMs), status: 429 };
  }

  busy(reason: string, message: string, returnMs: number = retryAfterMs): UpgradeRefusal {
    this.#count(reason);
    const headers = { 'Retry-After': String(Math.ceil(returnMs / 1_000)), Connection: 'close' };
    return { status: 503, message, headers };
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

  #count(reason: string): void {
    this.#telemetry.count('handshakes_refused', 1, reason);
  }
}

/** A page of an allowed origin is let read why it was refused. */
export function readable(request: IncomingMessage, refusal: UpgradeRefusal): UpgradeRefusal {
  return { ...refusal, headers: { ...corsHeaders(request), ...refusal.headers } };
}

import { lookup as systemLookup } from 'node:dns/promises';
import http from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { Clock } from '../core/clock.ts';
import { AddressGuard } from './address-guard.ts';

/** Why a request came to nothing; a label of the metrics. */
export type FailureReason = 'address' | 'network' | 'timeout' | 'redirect' | 'status';

export type Outcome =
  | { readonly isDelivered: true }
  | {
      readonly isDelivered: false;
      readonly reason: FailureReason;
      /** For the log. */
      readonly detail: string;
      /** The receiver has understood the request, and will never take it. */
      readonly isFinal: boolean;
      /** The receiver asked for so much time. */
      readonly retryAfterMs?: number;
    };

/** All addresses of a name; one answer, once for each connection. */
export type Resolve = (hostname: string) => Promise<readonly { address: string; family: number }[]>;

export interface WebhookClientOptions {
  /** Networks beside the public ones. */
  readonly webhookNetworks: readonly string[];
  readonly webhookTimeoutMs: number;
}

/** Bytes of an answer that are read; what it says is of no interest. */
const answerBytesMax = 64 * 1024;
const retryAfterMaxMs = 5 * 60_000;
/** The body itself was refused: the same again would be, too. */
const finalStatuses = new Set([400, 413, 422]);

const resolveBySystem: Resolve = (hostname) => systemLookup(hostname, { all: true, order: 'verbatim' });

/**
 * Makes the requests of webhooks, and closes what attackers would make of them (S26): a name is
 * resolved once for each connection, every address of the answer is checked, and the connection goes to an
 * address of that same answer, so that a second answer of the name server changes nothing. Redirects
 * are not followed. Time and the answer's bytes are bounded. Proxies of the environment are not used.
 *
 * One connection for each client, kept alive. Never rejects.
 */
export class WebhookClient {
  readonly #guard: AddressGuard;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #url: URL;
  readonly #agent: http.Agent;
  readonly #open = new Set<http.ClientRequest>();
  #isClosed = false;

  constructor(url: string, options: WebhookClientOptions, clock: Clock, resolve: Resolve = resolveBySystem) {
    this.#url = new URL(url);
    this.#guard = new AddressGuard(options.webhookNetworks);
    this.#timeoutMs = options.webhookTimeoutMs;
    this.#clock = clock;
    const lookup = guardedLookup(resolve, (address) => this.#problem(address));
    const agentOptions = { keepAlive: true, maxSockets: 1, lookup };
    this.#agent = this.#isEncrypted ? new https.Agent(agentOptions) : new http.Agent(agentOptions);
  }

  /** POSTs `body`. Delivered: answered with a status from 200 to 299. */
  post(body: Uint8Array, headers: Readonly<Record<string, string>>): Promise<Outcome> {
    if (this.#isClosed) return Promise.resolve(failed('network', 'the node is stopping'));
    const host = this.#url.hostname.replace(/^\[|\]$/g, '');
    // A literal is connected to without being looked up.
    const problem = isIP(host) === 0 ? undefined : this.#problem(host);
    if (problem !== undefined) return Promise.resolve(failed('address', problem));
    return new Promise((resolve) => {
      const request = (this.#isEncrypted ? https : http).request(this.#url, {
        method: 'POST',
        agent: this.#agent,
        headers: { ...headers, 'content-length': String(body.length) },
      });
      this.#open.add(request);
      const timer = this.#clock.after(this.#timeoutMs, () => {
        resolve(failed('timeout', `no answer within ${this.#timeoutMs} ms`));
        request.destroy();
      });
      request.on('response', (response) => {
        resolve(outcomeOf(response));
        discard(response, request);
      });
      request.on('error', (error) => {
        resolve(failed(error instanceof RefusedAddress ? 'address' : 'network', error.message));
      });
      request.on('close', () => {
        timer.cancel();
        this.#open.delete(request);
        resolve(failed('network', 'the connection ended without an answer'));
      });
      request.end(body);
    });
  }

  /** Ends what is under way; it counts as failed. */
  close(): void {
    this.#isClosed = true;
    for (const request of this.#open) request.destroy();
    this.#agent.destroy();
  }

  get #isEncrypted(): boolean {
    return this.#url.protocol === 'https:';
  }

  #problem(address: string): string | undefined {
    return this.#guard.problem(address, this.#isEncrypted);
  }
}

class RefusedAddress extends Error {}

/** Of a name with several addresses all must be allowed: one that is not was put there for a purpose. */
function guardedLookup(resolve: Resolve, problemOf: (address: string) => string | undefined): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname).then(
      (addresses) => {
        const [first] = addresses;
        const problem = addresses.map(({ address }) => problemOf(address)).find((found) => found !== undefined);
        if (first === undefined) callback(new Error(`${hostname} has no address`), '');
        else if (problem !== undefined) callback(new RefusedAddress(problem), '');
        else if (options.all === true) callback(null, [...addresses]);
        else callback(null, first.address, first.family);
      },
      (error: unknown) => {
        callback(error instanceof Error ? error : new Error(String(error)), '');
      },
    );
  };
}

function outcomeOf({ statusCode: status = 0, headers }: http.IncomingMessage): Outcome {
  if (status >= 200 && status < 300) return { isDelivered: true };
  if (status >= 300 && status < 400) return failed('redirect', `status ${status}: redirects are not followed`);
  const seconds = /^\d{1,6}$/.test(headers['retry-after'] ?? '') ? Number(headers['retry-after']) : 0;
  return {
    ...failed('status', `status ${status}`),
    isFinal: finalStatuses.has(status),
    ...(seconds === 0 ? {} : { retryAfterMs: Math.min(seconds * 1_000, retryAfterMaxMs) }),
  };
}

function failed(reason: FailureReason, detail: string): Outcome & { isDelivered: false } {
  return { isDelivered: false, reason, detail, isFinal: false };
}

/** Reads the answer to its end, so that the connection can be used again; one too long costs it. */
function discard(response: http.IncomingMessage, request: http.ClientRequest): void {
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > answerBytesMax) request.destroy();
  });
  // Cut off in the middle: the status has said what matters.
  response.on('error', () => undefined);
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import { BadFrame, Rejection, rejections, type RejectionKind } from '@tutti/protocol';
import { Scanner } from '@tutti/protocol/json';
import type { ApiKey } from '../config/api-key.ts';
import { respond } from '../http/respond.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { errorOf } from './api-error.ts';
import { notAllowed, readBatch, runBatch } from './batch.ts';
import type { ApiTarget } from './contract.ts';
import { jsonText } from './json-text.ts';
import { ApiKeys, mayCall, presentedKey } from './keys.ts';
import { methods } from './methods/index.ts';
import { mustHave, readFields } from './read-fields.ts';
import { readBody } from './read-body.ts';

export interface ApiOptions {
  readonly apiKeys: readonly ApiKey[];
  /** Bytes of a request's body. */
  readonly apiBodyBytesMax: number;
  /** Requests that are read or answered at the same time. */
  readonly apiRequestsMax: number;
}

/** How often somebody may ask. Milliseconds to wait; 0: none. */
export interface ApiPace {
  /** Of whoever this request is from, before its key is looked at: keys were guessed from there (S9). */
  waitOfAddress(request: IncomingMessage): number;
  /** It carried a key that is none. */
  failed(request: IncomingMessage): void;
  /** Counts one request with this key. */
  waitOfKey(name: string): number;
}

const noPace: ApiPace = { waitOfAddress: () => 0, failed: () => undefined, waitOfKey: () => 0 };

/** Where the methods are, one below it each. */
export const apiPrefix = '/api/';

/** An answer other than 200, before a method was asked. */
class Refusal extends Error {
  readonly status: number;
  readonly rejection: Rejection;
  readonly remedy: string | undefined;
  /** When to ask again. */
  readonly retryAfterMs: number;
  /** A word for the metrics. */
  readonly reason: string;

  constructor(status: number, reason: string, rejection: Rejection, remedy?: string, retryAfterMs = 0) {
    super(rejection.message);
    this.status = status;
    this.reason = reason;
    this.rejection = rejection;
    this.remedy = remedy;
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * The methods over HTTP. The key is looked at before a byte of the body is read; what a method
 * refuses is answered with status 200 and an `error`, as callers of this API expect.
 */
export class ApiRoute {
  readonly methods: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
  readonly #options: ApiOptions;
  readonly #target: ApiTarget;
  readonly #telemetry: Telemetry;
  readonly #pace: ApiPace;
  readonly #keys: ApiKeys;
  #running = 0;

  constructor(options: ApiOptions, target: ApiTarget, telemetry: Telemetry, pace: ApiPace = noPace) {
    this.#options = options;
    this.#target = target;
    this.#telemetry = telemetry;
    this.#pace = pace;
    this.#keys = new ApiKeys(options.apiKeys);
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const name = this.#methodOf(request);
      const key = this.#keyOf(request, name);
      if (this.#running >= this.#options.apiRequestsMax) {
        const { apiRequestsMax } = this.#options;
        throw refusal(503, 'busy', rejections.tooManyRequests, `${apiRequestsMax} requests are being answered already`);
      }
      this.#running += 1;
      try {
        await this.#answer(name, key, request, response);
      } finally {
        this.#running -= 1;
      }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      this.#telemetry.count('api_refused', 1, error.reason);
      const headers: Record<string, string> = error.status === 503 ? { 'Retry-After': '1' } : {};
      if (error.retryAfterMs > 0) headers['Retry-After'] = String(Math.ceil(error.retryAfterMs / 1_000));
      if (error.status === 401) headers['WWW-Authenticate'] = 'apikey';
      if (error.status === 405) headers['Allow'] = 'POST';
      send(request, response, error.status, { error: errorOf(error.rejection, error.remedy) }, headers);
    }
  }

  async #answer(name: string, key: ApiKey, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { apiBodyBytesMax } = this.#options;
    const body = await readBody(request, apiBodyBytesMax);
    if (body === 'too-large') {
      const remedy = 'Send less at once, or raise apiBodyBytesMax.';
      const message = `the body is larger than ${apiBodyBytesMax} bytes`;
      throw refusal(413, 'size', rejections.limitExceeded, message, remedy);
    }
    // All of it was read: the connection can serve another request.
    response.removeHeader('Connection');
    this.#telemetry.count('api_requests', 1, key.name);
    const answer = await this.#run(name, key, body);
    send(request, response, 200, answer);
  }

  /** Throws `Refusal` 400 for a body that cannot be read. */
  async #run(name: string, key: ApiKey, body: Uint8Array): Promise<unknown> {
    const call = { target: this.#target, key };
    try {
      if (name === 'batch') {
        const batch = readWhole(body, readBatch);
        return { replies: await runBatch(batch, call) };
      }
      const method = methods.get(name)!;
      const params = readWhole(body, (scanner) => readFields(scanner, method.params));
      mustHave(params, method.params);
      return { result: await method.run(params, call) };
    } catch (error) {
      if (error instanceof BadFrame) throw refusal(400, 'body', rejections.badRequest, error.message);
      const rejection = this.#target.rejectionOf(error);
      this.#telemetry.count('api_rejected', 1, String(rejection.kind.code));
      return { error: errorOf(rejection) };
    }
  }

  #methodOf(request: IncomingMessage): string {
    const [path = ''] = (request.url ?? '').split('?', 1);
    const name = path.slice(apiPrefix.length);
    if (name !== 'batch' && !methods.has(name)) {
      const remedy = `There is: ${[...methods.keys(), 'batch', 'openapi.json'].join(', ')}.`;
      throw refusal(404, 'method', rejections.methodNotFound, 'there is no such method', remedy);
    }
    if (request.method !== 'POST') {
      throw refusal(405, 'method', rejections.badRequest, 'methods are called with POST', 'Send a POST request.');
    }
    return name;
  }

  /** Throws `Refusal` where nobody may call, this caller may not, or not in this form. */
  #keyOf(request: IncomingMessage, name: string): ApiKey {
    if (this.#keys.isEmpty) {
      const remedy = 'Configure apiKeys (file or TUTTI_API_KEYS): [{"name":"backend","key":"…","allow":"*"}].';
      throw refusal(403, 'closed', rejections.permissionDenied, 'the server API is closed: it has no key', remedy);
    }
    const blockedMs = this.#pace.waitOfAddress(request);
    if (blockedMs > 0) throw tooMany('too many unknown keys came from this address', 'guesses', blockedMs);
    const presented = presentedKey(request);
    const key = presented === undefined ? undefined : this.#keys.find(presented);
    if (key === undefined) {
      if (presented !== undefined) this.#pace.failed(request);
      const message = presented === undefined ? 'the request carries no API key' : 'the API key is not known';
      throw refusal(401, 'key', rejections.unauthorized, message, 'Send one of apiKeys as X-API-Key.');
    }
    // What a batch may do is asked for each of its commands.
    if (name !== 'batch' && !mayCall(key, name)) throw new Refusal(403, 'right', notAllowed(key.name, name));
    mustBeJson(request);
    const waitMs = this.#pace.waitOfKey(key.name);
    if (waitMs > 0) throw tooMany(`too many requests with key "${key.name}"`, 'rate', waitMs);
    return key;
  }
}

function refusal(status: number, reason: string, kind: RejectionKind, message: string, remedy?: string): Refusal {
  return new Refusal(status, reason, new Rejection(kind, message), remedy);
}

function tooMany(message: string, reason: string, waitMs: number): Refusal {
  const rejection = new Rejection(rejections.tooManyRequests, `${message}: retry in ${waitMs} ms`);
  return new Refusal(429, reason, rejection, undefined, waitMs);
}

/** A form of a foreign page can send other types without asking; and bytes that are compressed are no JSON. */
function mustBeJson({ headers }: IncomingMessage): void {
  const [type = ''] = (headers['content-type'] ?? 'application/json').split(';', 1);
  if (type.trim().toLowerCase() !== 'application/json') {
    const remedy = 'Send the header Content-Type: application/json (curl: --json).';
    throw refusal(415, 'type', rejections.badRequest, 'the body must be application/json', remedy);
  }
  const encoding = (headers['content-encoding'] ?? 'identity').toLowerCase();
  if (encoding !== 'identity') {
    throw refusal(415, 'type', rejections.badRequest, 'the body must not be compressed', 'Send it as it is.');
  }
}

/** An empty body is as good as `{}`. Throws `BadFrame`, `Rejection`. */
function readWhole<Read>(body: Uint8Array, read: (scanner: Scanner) => Read): Read {
  const scanner = new Scanner(body);
  if (scanner.peek() === -1) return read(new Scanner(Uint8Array.of(0x7b, 0x7d)));
  const value = read(scanner);
  if (scanner.peek() !== -1) scanner.fail('expected the end');
  return value;
}

function send(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  answer: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const bytes = Buffer.from(`${jsonText(answer)}\n`);
  respond(request, response, status, { type: 'application/json; charset=utf-8', bytes }, headers);
}

import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Clock } from '../../core/clock.ts';
import { HookFailure, type HookOutcome } from '../hook-failure.ts';

/** Bytes of an answer; a larger one is not read on. */
export const answerBytesMax = 64 * 1024;
const idleSocketsMax = 32;
/** Of the statuses that blame the request, those that mean the application: it was too slow, or has too much to do. */
const overloaded = new Set([408, 425, 429]);

/** Whether the same request may be sent once more. `unsent`: the application never saw it. `seen`: it may have acted on it. */
export type Repeatable = 'unsent' | 'seen' | 'no';

/** One request came to nothing. */
export class RequestFailure extends HookFailure {
  readonly repeatable: Repeatable;
  /** The application is well, and finds fault with this one request. */
  readonly isAnswer: boolean;

  constructor(
    message: string,
    options: { repeatable: Repeatable; isAnswer?: boolean; outcome?: HookOutcome; cause?: unknown },
  ) {
    super(message, options);
    this.name = 'RequestFailure';
    this.repeatable = options.repeatable;
    this.isAnswer = options.isAnswer ?? false;
  }
}

export interface HookRequest {
  readonly url: URL;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * POSTs with connections that are kept. Redirects are not followed, certificates are checked. The addresses are
 * the operator's own, so private ones are as good as others.
 */
export class HookClient {
  readonly #clock: Clock;
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;

  /** `socketsMax`: to one origin; as many as calls may be under way, so that none waits for a socket. */
  constructor(clock: Clock, socketsMax: number) {
    this.#clock = clock;
    const options = { keepAlive: true, maxSockets: socketsMax, maxFreeSockets: Math.min(socketsMax, idleSocketsMax) };
    this.#http = new HttpAgent(options);
    this.#https = new HttpsAgent(options);
  }

  /** The body of an answer with status 200. Rejects with `RequestFailure`. */
  async post({ url, body, headers, timeoutMs, signal }: HookRequest): Promise<Buffer> {
    const isSecure = url.protocol === 'https:';
    const common = { method: 'POST', headers: { ...headers, 'Content-Length': String(body.length) }, signal };
    const request = isSecure
      ? httpsRequest(url, { ...common, agent: this.#https })
      : httpRequest(url, { ...common, agent: this.#http });
    let isSent = false;
    request.once('socket', (socket) => {
      if (!socket.connecting) isSent = true;
      else socket.once(isSecure ? 'secureConnect' : 'connect', () => (isSent = true));
    });
    let isLate = false;
    const timer = this.#clock.after(timeoutMs, () => {
      isLate = true;
      request.destroy();
    });
    try {
      const answered = Promise.withResolvers<IncomingMessage>();
      request.once('response', answered.resolve);
      // For good: what comes after the first error must not end the process.
      request.on('error', answered.reject);
      request.end(body);
      return await readAnswer(await answered.promise);
    } catch (cause) {
      if (cause instanceof RequestFailure) throw cause;
      if (isLate || signal.aborted) {
        const message = `no answer within ${timeoutMs} ms`;
        throw new RequestFailure(message, { repeatable: 'no', outcome: 'timeout', cause });
      }
      const repeatable = isSent ? 'seen' : 'unsent';
      throw new RequestFailure(isSent ? 'the connection broke' : 'no connection', { repeatable, cause });
    } finally {
      timer.cancel();
      request.destroy();
    }
  }

  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }
}

async function readAnswer(response: IncomingMessage): Promise<Buffer> {
  const { statusCode = 0 } = response;
  if (statusCode !== 200) {
    const isAnswer = statusCode >= 400 && statusCode < 500 && !overloaded.has(statusCode);
    throw new RequestFailure(`status ${statusCode}`, { repeatable: statusCode >= 500 ? 'seen' : 'no', isAnswer });
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > answerBytesMax) {
      throw new RequestFailure(`the answer is larger than ${answerBytesMax} bytes`, { repeatable: 'no' });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

import type { Reply } from '@tutti/protocol';
import type { CommandBody } from './calls.ts';
import type { Clock, Timer } from './platform.ts';
import { soon } from './platform.ts';
import { clientErrors, TuttiError } from './tutti-error.ts';

/** The way out, as the outbox sees it. */
export interface Outlet {
  readonly isConnected: boolean;
  /** Throws where the command cannot be encoded. */
  call(body: CommandBody, onReply: (reply: Reply<unknown>) => void): number;
  forget(id: number): void;
}

export interface RequestOptions {
  timeoutMs: number;
  /** Sending it twice does no harm: it is sent again when the connection was lost before the answer. */
  repeatable: boolean;
  /** Held back until this says true (asked again at each `flush`). */
  isReady?: (() => boolean) | undefined;
  idempotencyKey?: string | undefined;
}

interface Request extends RequestOptions {
  body: CommandBody;
  /** Undefined while it waits. */
  sentAs: number | undefined;
  /** It may have taken effect, though the answer was lost. */
  wasSent: boolean;
  timer: Timer;
  resolve: (reply: Reply<unknown>) => void;
  reject: (error: unknown) => void;
}

/**
 * The application's requests, from asking to answer, oldest first: one that was sent and lost with
 * its connection goes out again before younger ones, so that the order of publishes is kept.
 *
 * Bounds: `pendingMax` requests, sent or waiting; when full, the new one is rejected. `inFlightMax`
 * of them are sent and unanswered; the others wait, because a server refuses more than its own bound.
 */
export class Outbox {
  readonly #clock: Clock;
  readonly #outlet: Outlet;
  readonly #pendingMax: number;
  readonly #inFlightMax: number;
  #inFlight = 0;
  readonly #requests = new Set<Request>();
  #flushPlanned = false;
  #stoppedBy: TuttiError | undefined;

  constructor(clock: Clock, outlet: Outlet, pendingMax: number, inFlightMax: number) {
    this.#clock = clock;
    this.#outlet = outlet;
    this.#pendingMax = pendingMax;
    this.#inFlightMax = inFlightMax;
  }

  get pending(): number {
    return this.#requests.size;
  }

  /** Requests are taken (again). */
  start(): void {
    this.#stoppedBy = undefined;
  }

  /** All requests, and those to come until `start`, are rejected: no connection is on its way. */
  stop(error: TuttiError): void {
    this.#stoppedBy = error;
    for (const request of this.#requests) {
      const { code, message } = error;
      const own = request.wasSent ? new TuttiError(code, message, { cause: error, ...keyOf(request) }) : error;
      this.#settle(request)?.reject(own);
    }
  }

  request(body: CommandBody, options: RequestOptions): Promise<Reply<unknown>> {
    if (this.#stoppedBy !== undefined) return Promise.reject(this.#stoppedBy);
    if (this.#requests.size >= this.#pendingMax) {
      const message = `${this.#pendingMax} requests are waiting already (pendingMax); await some, or raise it`;
      return Promise.reject(new TuttiError(clientErrors.tooManyPending, message, { temporary: true }));
    }
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(options.timeoutMs, () => this.#timedOut(request));
      const request: Request = { ...options, body, sentAs: undefined, wasSent: false, timer, resolve, reject };
      this.#requests.add(request);
      this.plan();
    });
  }

  /** Flushes at the end of this turn of the loop. */
  plan(): void {
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    soon(() => {
      this.#flushPlanned = false;
      this.flush();
    });
  }

  /** Sends all that waits and is ready. */
  flush(): void {
    if (!this.#outlet.isConnected) return;
    for (const request of this.#requests) {
      if (this.#inFlight >= this.#inFlightMax) return;
      if (request.sentAs !== undefined || request.isReady?.() === false) continue;
      try {
        request.sentAs = this.#outlet.call(request.body, (reply) => this.#answered(request, reply));
        request.wasSent = true;
        this.#inFlight++;
      } catch (cause) {
        this.#settle(request)?.reject(cause);
      }
    }
  }

  /** The link is gone. Repeatable requests wait for the next one; of the others the outcome is unknown. */
  linkLost(): void {
    this.#inFlight = 0;
    for (const request of this.#requests) {
      if (request.sentAs === undefined) continue;
      request.sentAs = undefined;
      if (request.repeatable) continue;
      const message = 'the connection was lost before the answer; whether it took effect is unknown';
      this.#settle(request)?.reject(new TuttiError(clientErrors.connectionLost, message, { temporary: true }));
    }
  }

  #answered(request: Request, { error, ...reply }: Reply<unknown>): void {
    const settled = this.#settle(request);
    if (error === undefined) settled?.resolve(reply);
    else
      settled?.reject(
        new TuttiError(error.code, error.message, { temporary: error.temporary ?? false, ...keyOf(request) }),
      );
  }

  #timedOut(request: Request): void {
    if (request.sentAs !== undefined) this.#outlet.forget(request.sentAs);
    const message = `no answer within ${request.timeoutMs} ms; whether it took effect is unknown`;
    this.#settle(request)?.reject(
      new TuttiError(clientErrors.timeout, message, { temporary: true, ...keyOf(request) }),
    );
  }

  #settle(request: Request): Request | undefined {
    request.timer.cancel();
    if (!this.#requests.delete(request)) return undefined;
    if (request.sentAs !== undefined) {
      this.#inFlight--;
      this.plan();
    }
    return request;
  }
}

function keyOf({ idempotencyKey }: Request): { idempotencyKey?: string } {
  return idempotencyKey === undefined ? {} : { idempotencyKey };
}

import { Disconnect, Rejection } from '@tutti/protocol';
import type { Clock } from '../../core/clock.ts';
import type { Random } from '../../core/random.ts';
import { signatureHeader, signRequest } from '../../runtime/sign-request.ts';
import { connectGrant, dataGrant, publishGrant, refreshGrant, subscribeGrant, type AnswerFields } from '../grants.ts';
import { HookFailure } from '../hook-failure.ts';
import type { HookAsk, HookCalls, HookName } from '../hooks.ts';
import { answerFields } from './answer-fields.ts';
import { CircuitBreaker } from './circuit-breaker.ts';
import { HookClient, RequestFailure } from './hook-client.ts';
import { requestText } from './request-text.ts';

export interface HttpHooksOptions {
  /** Those that are asked over HTTP. */
  readonly urls: ReadonlyMap<HookName, string>;
  /** Signs the requests. */
  readonly secret: string;
  /** Of one request. */
  readonly timeoutMs: number;
  readonly callsMax: number;
  readonly hasTenants: boolean;
  readonly version: string;
}

export interface HttpHooksSeams {
  readonly clock: Clock;
  readonly random: Random;
}

export const triesMax = 3;
/** Full jitter: anywhere up to it, twice as much before the third try. */
const waitMsMax = 100;

/** To ask these twice does no harm; the others may have acted already. */
const repeatable: ReadonlySet<HookName> = new Set<HookName>(['connect', 'refresh', 'subscribe', 'subRefresh']);

/** A backend that is asked over HTTP, as hooks. */
export class HttpHooks {
  readonly calls: HookCalls;
  readonly #hooks: readonly HttpHook[];

  constructor(options: HttpHooksOptions, seams: HttpHooksSeams) {
    const hooks = new Map<HookName, HttpHook>();
    for (const [name, url] of options.urls) {
      hooks.set(name, new HttpHook(name, new URL(url), options, seams));
    }
    this.#hooks = [...hooks.values()];
    this.calls = callsOf((name) => hooks.get(name), options.hasTenants);
  }

  /** Hooks that are not asked now, because they failed too often. */
  get openBreakers(): number {
    return this.#hooks.filter(({ breaker }) => breaker.state !== 'closed').length;
  }

  /** Ends idle connections; calls under way are broken off. */
  close(): void {
    for (const hook of this.#hooks) hook.close();
  }
}

function callsOf(hookOf: (name: HookName) => HttpHook | undefined, hasTenants: boolean): HookCalls {
  const [connect, refresh, subscribe] = [hookOf('connect'), hookOf('refresh'), hookOf('subscribe')];
  const [subRefresh, publish, rpc] = [hookOf('subRefresh'), hookOf('publish'), hookOf('rpc')];
  return {
    ...(connect && {
      connect: async (ask, signal) => connectGrant(await connect.call(ask, signal), ask, hasTenants),
    }),
    ...(refresh && { refresh: async (ask, signal) => refreshGrant(await refresh.call(ask, signal)) }),
    ...(subscribe && { subscribe: async (ask, signal) => subscribeGrant(await subscribe.call(ask, signal), ask) }),
    ...(subRefresh && { subRefresh: async (ask, signal) => refreshGrant(await subRefresh.call(ask, signal)) }),
    ...(publish && { publish: async (ask, signal) => publishGrant(await publish.call(ask, signal), ask) }),
    ...(rpc && { rpc: async (ask, signal) => dataGrant(await rpc.call(ask, signal), ask) }),
  };
}

/** One address, with its breaker and its connections: a hook that hangs leaves the others theirs. */
class HttpHook {
  readonly breaker: CircuitBreaker;
  readonly #name: HookName;
  readonly #url: URL;
  readonly #client: HookClient;
  readonly #options: HttpHooksOptions;
  readonly #seams: HttpHooksSeams;

  constructor(name: HookName, url: URL, options: HttpHooksOptions, seams: HttpHooksSeams) {
    this.#name = name;
    this.#url = url;
    this.#client = new HookClient(seams.clock, options.callsMax);
    this.#options = options;
    this.#seams = seams;
    this.breaker = new CircuitBreaker(seams);
  }

  /** Throws what the backend refuses with, or `HookFailure`. */
  async call(ask: HookAsk, signal: AbortSignal): Promise<AnswerFields> {
    const body = Buffer.from(requestText(this.#name, ask));
    for (let attempt = 1; ; attempt += 1) {
      const ticket = this.breaker.admit();
      if (ticket === undefined) throw new HookFailure('it failed too often just now', { outcome: 'skipped' });
      try {
        const answer = answerFields(await this.#send(body, ask, signal));
        this.breaker.settle(ticket, false);
        return answer;
      } catch (error) {
        this.breaker.settle(ticket, !isAnswer(error));
        if (attempt >= triesMax || signal.aborted || !this.#mayRepeat(error)) throw error;
      }
      await this.#pause(this.#seams.random.next() * waitMsMax * 2 ** (attempt - 1));
      if (signal.aborted) throw new HookFailure('nobody waits any more', { outcome: 'timeout' });
    }
  }

  close(): void {
    this.#client.close();
  }

  #mayRepeat(error: unknown): boolean {
    if (!(error instanceof RequestFailure)) return false;
    return error.repeatable === 'unsent' || (error.repeatable === 'seen' && repeatable.has(this.#name));
  }

  #send(body: Buffer, { headers }: HookAsk, signal: AbortSignal): Promise<Buffer> {
    const { secret, timeoutMs, version } = this.#options;
    return this.#client.post({
      url: this.#url,
      body,
      headers: {
        'user-agent': `tutti/${version}`,
        ...headers,
        'content-type': 'application/json',
        [signatureHeader]: signRequest(body, [secret], this.#seams.clock.now() / 1_000),
      },
      timeoutMs,
      signal,
    });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#seams.clock.after(ms, resolve);
    });
  }
}

/**
 * A refusal is an answer like any other, and so is a status that finds fault with the request: what one client
 * sends must not cut off all others (S21).
 */
function isAnswer(error: unknown): boolean {
  if (error instanceof RequestFailure) return error.isAnswer;
  return error instanceof Rejection || error instanceof Disconnect;
}

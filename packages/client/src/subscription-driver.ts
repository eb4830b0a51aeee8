import type { ErrorReply, Position, Publication, Push, SubscribeRequest, SubscribeResult } from '@tutti/protocol';
import { unsubscribes } from '@tutti/protocol';
import { Backoff } from './backoff.ts';
import type { CommandBody, OnReply } from './calls.ts';
import type { Settings } from './options.ts';
import { soon, type Timer } from './platform.ts';
import { gapBetween, Progress } from './progress.ts';
import { received, type Requests } from './requests.ts';
import type { SubscriptionEvents } from './subscription-events.ts';
import {
  subscriptionTable,
  type SubscriptionAct,
  type SubscriptionEvent,
  type SubscriptionState,
} from './subscription-state.ts';
import { TokenRefresh } from './token-refresh.ts';
import { TokenSource } from './token-source.ts';
import { clientErrors, isWorthRetrying, TuttiError } from './tutti-error.ts';

export interface SubscriptionOptions {
  /** Ask for recovery: after an interruption the missed publications come first (default true). */
  recover?: boolean;
  /** Start from this position, as if the subscription had been interrupted there. */
  since?: Position;
  /** Ask to be told who joins and leaves (default true). Tutti's servers go by the namespace alone, and tell all or none. */
  joinLeave?: boolean;
  /** The subscription token. With `getToken` as well, it is used until it expires. */
  token?: string;
  /** Fetches a subscription token: at first, and whenever the last one runs out. */
  getToken?: (channel: string) => Promise<string> | string;
  /** Sent with the subscribe command, for the server's hooks. */
  data?: unknown;
  /** At most one update in so many milliseconds, of each key; the newest wins. 0: every publication. */
  intervalMs?: number;
}

/** What the client tells a wanted subscription. */
export interface SubscriptionInlet {
  /** The subscription itself. */
  readonly owner: object;
  linkUp(): void;
  linkDown(): void;
  pushed(push: Push<unknown>): void;
  /** Another user may be next. */
  forgetToken(): void;
  /** The client was closed. */
  closed(): void;
}

/** The client, as a subscription sees it. */
export interface SubscriptionHost {
  readonly settings: Settings;
  readonly requests: Requests;
  readonly isOpen: boolean;
  call(body: CommandBody, onReply: OnReply): number;
  /** Asks for a new connection. */
  lost(reason: string): void;
  /** Requests that waited for this subscription may go. */
  flush(): void;
  /** From now on the channel is this subscription's. Throws where another has it, or the client is closed. */
  claim(channel: string, inlet: SubscriptionInlet): void;
  release(channel: string, inlet: SubscriptionInlet): void;
}

/** Whom the driver tells what happens. */
export interface SubscriptionDriverOwner {
  /** By which the client knows it. */
  readonly subscription: object;
  tell<K extends keyof SubscriptionEvents<unknown>>(name: K, event: SubscriptionEvents<unknown>[K]): void;
  report(error: TuttiError): void;
}

export interface Why {
  code: number;
  reason: string;
}

/** Keeps one channel followed: subscribe commands, back-off, position, credentials. Driven by `subscriptionTable`. */
export class SubscriptionDriver {
  readonly #channel: string;
  readonly #options: SubscriptionOptions;
  readonly #host: SubscriptionHost;
  readonly #owner: SubscriptionDriverOwner;
  readonly #inlet: SubscriptionInlet;
  #state: SubscriptionState = 'unsubscribed';
  readonly #progress = new Progress();
  readonly #backoff: Backoff;
  readonly #tokens: TokenSource;
  readonly #refresh: TokenRefresh;
  /** The deadline of the subscribe command, or the end of a back-off: never both. */
  #timer: Timer | undefined;
  /** Grows when what is under way becomes void, so that late results are known as such. */
  #turn = 0;
  /** A token is being fetched, or a subscribe command is under way. */
  #isBusy = false;
  /** The server may hold this subscription. */
  #isOnServer = false;
  /** It was on before, or starts from a position: what lies between is to be recovered, or told as a gap. */
  #resumes = false;
  #isRecoverable = false;
  #intervalMs: number;
  #subscribedAt: number | undefined;

  constructor(channel: string, options: SubscriptionOptions, host: SubscriptionHost, owner: SubscriptionDriverOwner) {
    const { clock, random, timeoutMs, reconnectMinMs, reconnectMaxMs } = host.settings;
    const { getToken } = options;
    this.#channel = channel;
    this.#options = options;
    this.#intervalMs = wholeMs(options.intervalMs ?? 0);
    this.#host = host;
    this.#owner = owner;
    this.#backoff = new Backoff({ minMs: reconnectMinMs, maxMs: reconnectMaxMs }, random);
    this.#tokens = new TokenSource(clock, timeoutMs, options.token, getToken && (() => getToken(channel)));
    this.#refresh = new TokenRefresh(clock, random, this.#tokens, timeoutMs, {
      sendToken: (token, answered) =>
        void host.call({ sub_refresh: { channel, token } }, ({ error, sub_refresh }) =>
          answered(error, sub_refresh ?? {}),
        ),
      refreshRefused: (error) => this.#refused(error),
      report: (error) => owner.report(error),
    });
    this.#inlet = {
      owner: owner.subscription,
      linkUp: () => this.#handle('linkUp', { code: 0, reason: 'connected' }),
      linkDown: () => this.#handle('linkDown', { code: unsubscribes.disconnect.code, reason: 'connection lost' }),
      pushed: (push) => this.#pushed(push),
      forgetToken: () => this.#tokens.forget(),
      closed: () => this.#handle('ended', { code: unsubscribes.disconnect.code, reason: 'the client was closed' }),
    };
  }

  get state(): SubscriptionState {
    return this.#state;
  }
  get position(): Position | undefined {
    return this.#progress.position;
  }

  /** What the next subscribe command asks for; rounded. Throws `RangeError`. */
  get intervalMs(): number {
    return this.#intervalMs;
  }
  set intervalMs(intervalMs: number) {
    this.#intervalMs = wholeMs(intervalMs);
  }

  /** Throws where another subscription has the channel, or the client is closed. */
  subscribe(): void {
    if (this.#state !== 'unsubscribed') return;
    this.#host.claim(this.#channel, this.#inlet);
    this.#progress.position = this.#options.since;
    this.#resumes = this.#options.since !== undefined;
    this.#isRecoverable = this.#resumes;
    this.#handle('subscribe', { code: 0, reason: 'subscribe called' });
  }

  unsubscribe(): void {
    this.#handle('unsubscribe', { code: unsubscribes.client.code, reason: unsubscribes.client.reason });
  }

  #handle(event: SubscriptionEvent, why: Why): void {
    const from = this.#state;
    const { to, act } = subscriptionTable[from][event];
    if (to === from && act === 'none') return;
    this.#state = to;
    this.#perform(act);
    if (to === from) return;
    const { code, reason } = why;
    this.#owner.tell('state', { from, to, code, reason });
    if (to === 'unsubscribed') this.#owner.tell('unsubscribed', { channel: this.#channel, code, reason });
    this.#host.flush();
  }

  #perform(act: SubscriptionAct): void {
    switch (act) {
      case 'request':
        this.#request();
        return;
      case 'start':
        this.#subscribedAt = this.#host.settings.clock.monotonic();
        return;
      case 'hold':
        this.#isOnServer = false;
        this.#void();
        return;
      case 'later':
        this.#retryLater();
        return;
      case 'leave':
        this.#void();
        this.#tokens.forget();
        this.#tellUnsubscribe();
        this.#host.release(this.#channel, this.#inlet);
        return;
      case 'stop':
        this.#void();
        this.#tokens.forget();
        this.#isOnServer = false;
        this.#host.release(this.#channel, this.#inlet);
        return;
      case 'none':
        return;
    }
  }

  /** Sends the command as soon as there is a link, and a token where one is needed. */
  #request(): void {
    if (this.#isBusy) return;
    this.#timer?.cancel();
    if (this.#tokens.mustFetch) this.#fetchToken();
    else if (this.#host.isOpen) this.#send();
  }

  #fetchToken(): void {
    const turn = this.#turn;
    this.#isBusy = true;
    const done = (error?: TuttiError): void => {
      if (turn !== this.#turn) return;
      this.#isBusy = false;
      if (error === undefined) this.#request();
      else this.#failed(error);
    };
    this.#tokens.get().then(() => done(), done);
  }

  #send(): void {
    const { clock, timeoutMs } = this.#host.settings;
    const turn = this.#turn;
    try {
      this.#host.call({ subscribe: this.#subscribeRequest() }, ({ error, subscribe }) => {
        if (turn !== this.#turn) return;
        this.#timer?.cancel();
        this.#isBusy = false;
        if (error === undefined) this.#accepted(subscribe ?? {});
        else this.#rejected(error);
      });
    } catch (cause) {
      const message = `cannot send the subscribe command: ${String(cause)}`;
      const error = new TuttiError(clientErrors.unsubscribed, message, { cause });
      // Later, so that whoever just called subscribe() can listen first.
      soon(() => {
        if (turn === this.#turn) this.#refused(error);
      });
      return;
    }
    this.#isBusy = true;
    this.#isOnServer = true;
    this.#timer = clock.after(timeoutMs, () => this.#host.lost('no answer to subscribe in time'));
  }

  #subscribeRequest(): SubscribeRequest<unknown> {
    const { recover = true, joinLeave = true, data } = this.#options;
    const token = this.#tokens.current;
    const position = this.#progress.position;
    return {
      channel: this.#channel,
      ...(token === undefined ? {} : { token }),
      ...(data === undefined ? {} : { data }),
      ...(recover ? { positioned: true, recoverable: true } : {}),
      ...(joinLeave ? { join_leave: true } : {}),
      ...(this.#intervalMs > 0 ? { interval: this.#intervalMs } : {}),
      ...(this.#isRecoverable && position !== undefined ? { recover: true, ...position } : {}),
    };
  }

  #accepted(result: SubscribeResult<unknown>): void {
    const from = this.#progress.position;
    const tracked = result.recoverable === true || result.positioned === true;
    const to = tracked ? { offset: result.offset ?? 0, epoch: result.epoch ?? '' } : undefined;
    const recovered = result.recovered === true && from !== undefined;
    const gap = this.#resumes && !recovered ? gapBetween(this.#channel, from, to) : undefined;
    // Recovered: the missed ones are still to come, in this reply and, where they are many, after it.
    this.#progress.position = recovered ? { offset: from.offset, epoch: result.epoch ?? from.epoch } : to;
    this.#isRecoverable = result.recoverable === true;
    this.#resumes = true;
    this.#refresh.arm(result);
    // A listener may end the subscription at each step; then the rest of this reply is void.
    const turn = this.#turn;
    const channel = this.#channel;
    this.#handle('accepted', { code: 0, reason: 'subscribed' });
    if (turn === this.#turn)
      this.#owner.tell('subscribed', { channel, recovered, position: this.position, data: result.data });
    if (turn === this.#turn && gap !== undefined) this.#owner.tell('gap', gap);
    for (const publication of result.publications ?? []) {
      if (turn !== this.#turn) return;
      this.#deliver(publication, true);
    }
  }

  #rejected({ code, message, temporary }: ErrorReply): void {
    this.#isOnServer = false;
    const worthIt = isWorthRetrying({ code, temporary }) && !(code === 109 && !this.#tokens.canRenew);
    if (code === 109) this.#tokens.expire();
    this.#failed(new TuttiError(code, message, { temporary: worthIt }));
  }

  #failed(error: TuttiError): void {
    if (!error.temporary) {
      this.#refused(error);
      return;
    }
    this.#handle('failed', { code: error.code, reason: error.message });
    this.#owner.report(error);
  }

  #refused(error: TuttiError): void {
    this.#handle('refused', { code: error.code, reason: error.message });
    this.#owner.report(error);
  }

  #pushed(push: Push<unknown>): void {
    const channel = this.#channel;
    if (push.unsubscribe !== undefined) {
      this.#unsubscribed(push.unsubscribe);
      return;
    }
    // Before the reply nothing counts: it could be the tail of an earlier subscription (DEL-8).
    if (this.#state !== 'subscribed') return;
    if (push.pub !== undefined) this.#deliver(push.pub, false);
    else if (push.join !== undefined) this.#owner.tell('join', { channel, info: push.join.info });
    else if (push.leave !== undefined) this.#owner.tell('leave', { channel, info: push.leave.info });
  }

  #unsubscribed({ code, reason }: Why): void {
    if (code < unsubscribes.insufficientState.code) {
      this.#handle('ended', { code, reason });
      return;
    }
    if (this.#state !== 'subscribed') return;
    if (code === unsubscribes.expired.code) this.#tokens.expire();
    this.#isOnServer = false;
    this.#handle('interrupted', { code, reason });
  }

  #deliver(publication: Publication<unknown>, vouched: boolean): void {
    const verdict = this.#progress.judge(publication, vouched);
    if (verdict === 'deliver') this.#owner.tell('publication', received(this.#channel, publication));
    else if (verdict === 'gap') {
      this.#tellUnsubscribe();
      const { code } = unsubscribes.insufficientState;
      this.#handle('interrupted', { code, reason: `a publication before offset ${publication.offset} is missing` });
    }
  }

  #tellUnsubscribe(): void {
    if (!this.#isOnServer) return;
    this.#isOnServer = false;
    if (!this.#host.isOpen) return;
    this.#host.call({ unsubscribe: { channel: this.#channel } }, ({ error }) => {
      // Otherwise the server would go on sending what nobody reads.
      if (error !== undefined) this.#host.lost(`unsubscribe was refused: ${error.message}`);
    });
  }

  /** Never at once, also after the first interruption: a server that interrupts every time must not be hammered (CON-4). */
  #retryLater(): void {
    const { clock, stableMs } = this.#host.settings;
    if (this.#subscribedAt !== undefined && clock.monotonic() - this.#subscribedAt >= stableMs) this.#backoff.reset();
    this.#void();
    this.#timer = clock.after(this.#backoff.next(), () => this.#handle('retry', { code: 0, reason: 'retry' }));
  }

  /** What is under way no longer counts. */
  #void(): void {
    this.#turn++;
    this.#isBusy = false;
    this.#subscribedAt = undefined;
    this.#timer?.cancel();
    this.#refresh.stop();
    this.#tokens.abandon();
  }
}

function wholeMs(intervalMs: number): number {
  if (!(intervalMs >= 0) || intervalMs > 2 ** 31)
    throw new RangeError(`an interval is 0 or more milliseconds, not ${intervalMs}`);
  return Math.round(intervalMs);
}

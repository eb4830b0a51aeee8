import type { Command, ConnectRequest, ConnectResult, ErrorReply, Push, Reply } from '@tutti/protocol';
import { isReconnectCode } from '@tutti/protocol';
import type { CommandBody, OnReply } from './calls.ts';
import { Calls } from './calls.ts';
import { connectionTable, type ConnectionEvent, type ConnectionState } from './connection-state.ts';
import { FrameBound } from './frame-bound.ts';
import { Heartbeat } from './heartbeat.ts';
import { Link } from './link.ts';
import type { Settings } from './options.ts';
import type { Timer } from './platform.ts';
import { RetryPause } from './retry-pause.ts';
import { TokenRefresh, type Expiry } from './token-refresh.ts';
import { TokenSource } from './token-source.ts';
import type { TransportName } from './transports.ts';
import { clientErrors, isWorthRetrying, TuttiError } from './tutti-error.ts';
import { Ways } from './ways.ts';

export interface ConnectionChange {
  readonly from: ConnectionState;
  readonly to: ConnectionState;
  /** Close code, error code, or 0 where the change was the application's wish. */
  readonly code: number;
  readonly reason: string;
  /** Milliseconds until the next attempt; with state `waiting` only. */
  readonly retryMs?: number;
}

/** What the connection asks of, and tells, the client around it. */
export interface ConnectionOwner {
  connectRequest(): ConnectRequest<unknown>;
  stateChanged(change: ConnectionChange): void;
  /** The connect command is queued: what is added in this turn leaves in the same frame. */
  linkUp(): void;
  linkDown(): void;
  accepted(result: ConnectResult<unknown>): void;
  /** No further attempt will be made by itself. */
  stopped(error: TuttiError): void;
  pushed(push: Push<unknown>): void;
  /** A frame was handled to its end. */
  handled(): void;
  report(error: TuttiError): void;
}

interface Why {
  code: number;
  reason: string;
  /** The server's wish, milliseconds. */
  hintMs?: number;
  /** Nothing came at all: it would be so again, and the wait is long. */
  isSwallowed?: boolean;
}

/** A server may hold clients off no longer than this. */
const hintMsMax = 10 * 60_000;

/** Keeps one link to the server alive: attempts, back-off, heartbeat, credentials. Driven by `connectionTable`. */
export class Connection {
  readonly #url: string;
  readonly #settings: Settings;
  readonly #owner: ConnectionOwner;
  #state: ConnectionState = 'disconnected';
  #link: Link | undefined;
  readonly #ways: Ways;
  /** True once the connect command is on its way. */
  #isOpen = false;
  /** The server answered on this link. */
  #isAnswered = false;
  readonly #frames: FrameBound;
  readonly #calls: Calls;
  readonly #pause: RetryPause;
  readonly #heartbeat: Heartbeat;
  readonly #tokens: TokenSource;
  readonly #refresh: TokenRefresh;
  /** The deadline of an attempt, or the end of the back-off: never both. */
  #timer: Timer | undefined;
  /** Grows with each attempt and each end of one, so that late results are known as such. */
  #attempt = 0;
  /** The server wants its pings answered. */
  #pongs = false;
  #stopWatching: (() => void) | undefined;

  constructor(url: string, settings: Settings, owner: ConnectionOwner) {
    const { clock, random, timeoutMs } = settings;
    this.#url = url;
    this.#settings = settings;
    this.#owner = owner;
    this.#ways = new Ways(url, settings, () => this.lost('WebSocket can be had again'));
    this.#frames = new FrameBound(settings.frameBytesMax);
    this.#calls = new Calls(settings.codec, this.#frames, (commands) => this.#link?.send(commands));
    this.#pause = new RetryPause(settings);
    this.#heartbeat = new Heartbeat(clock, () => this.lost('no frame from the server in time'));
    this.#tokens = new TokenSource(clock, timeoutMs, settings.token, settings.getToken);
    this.#refresh = new TokenRefresh(clock, random, this.#tokens, timeoutMs, {
      sendToken: (token, answered) => this.#sendToken(token, answered),
      refreshRefused: (error) => this.#refused(error),
      report: (error) => owner.report(error),
    });
  }

  get state(): ConnectionState {
    return this.#state;
  }
  get isConnected(): boolean {
    return this.#state === 'connected';
  }
  /** Commands can be sent; perhaps before the server has answered `connect`, which it handles first. */
  get isOpen(): boolean {
    return this.#isOpen;
  }
  /** Commands that leave at the end of this turn of the loop. */
  get gathered(): number {
    return this.#calls.gathered;
  }
  get transport(): TransportName | undefined {
    return this.isConnected ? this.#ways.current : undefined;
  }
  get bufferedBytes(): number {
    return this.#link?.bufferedBytes ?? 0;
  }

  connect(): void {
    this.#stopWatching ??= this.#settings.watchNetwork((event) => this.#network(event));
    this.#handle('connect', { code: 0, reason: 'connect called' });
  }
  disconnect(): void {
    this.#handle('disconnect', { code: 0, reason: 'disconnect called' });
  }
  close(): void {
    this.#stopWatching?.();
    this.#handle('close', { code: 0, reason: 'close called' });
  }

  /** Something went wrong that a new connection may mend. */
  lost(reason: string, code = 3000): void {
    this.#handle('lost', { code, reason });
  }

  call(body: CommandBody, onReply: OnReply): number {
    return this.#calls.call(body, onReply);
  }
  tell(body: CommandBody): void {
    this.#calls.tell(body);
  }
  forget(id: number): void {
    this.#calls.forget(id);
  }

  #handle(event: ConnectionEvent, why: Why): void {
    const from = this.#state;
    const { to, act } = connectionTable[from][event];
    if (to === from && act === 'none') return;
    this.#state = to;
    // All of the step is done before anyone is told, so that a listener may call connect() or close().
    const retryMs = this.#perform(act, why);
    if (to !== from) {
      const { code, reason } = why;
      this.#owner.stateChanged({ from, to, code, reason, ...(retryMs === undefined ? {} : { retryMs }) });
    }
    if (act === 'wait' || act === 'stop') this.#owner.linkDown();
    if (act === 'stop') this.#owner.stopped(stopError(to, why));
  }

  #perform(act: (typeof connectionTable)[ConnectionState][ConnectionEvent]['act'], why: Why): number | undefined {
    switch (act) {
      case 'open':
        this.#open();
        return undefined;
      case 'resume':
        this.#timer?.cancel();
        this.#pause.connected();
        return undefined;
      case 'wait':
        if (this.#link !== undefined && !this.#isAnswered) this.#ways.failed(why.isSwallowed);
        this.#dropLink();
        return this.#retryIn(this.#pause.begin(why.hintMs ?? 0));
      case 'hasten':
        this.#retryIn(this.#pause.hasten());
        return undefined;
      case 'stop':
        this.#dropLink();
        this.#pause.reset();
        // Whoever connects again may be another user.
        this.#tokens.forget();
        return undefined;
      case 'none':
        return undefined;
    }
  }

  #open(): void {
    this.#timer?.cancel();
    const attempt = ++this.#attempt;
    // Always a turn later, so that the new state is told before anything comes of the attempt.
    this.#tokens.get().then(
      () => {
        if (attempt === this.#attempt) this.#openLink();
      },
      (cause: unknown) => {
        if (attempt !== this.#attempt) return;
        const error = cause as TuttiError;
        if (!error.temporary) {
          this.#refused(error);
          return;
        }
        this.#owner.report(error);
        this.lost(error.message, error.code);
      },
    );
  }

  #openLink(): void {
    const { codec, timeoutMs, clock } = this.#settings;
    this.#isAnswered = false;
    const why: Why = { code: 3000, reason: 'no connection in time', isSwallowed: true };
    this.#timer = clock.after(timeoutMs, () => this.#handle('lost', why));
    try {
      const options = { codec, frames: this.#frames, open: () => this.#ways.open() };
      const link: Link = new Link(options, {
        opened: () => this.#opened(),
        received: (replies) => this.#received(link, replies),
        garbled: (cause) => this.#garbled(cause),
        ended: (code, reason) => this.#ended(code, reason),
      });
      this.#link = link;
    } catch (cause) {
      if (this.#ways.hasOthers) {
        this.#ways.failed(true);
        this.lost(String(cause));
      } else
        this.#refused(
          new TuttiError(clientErrors.disconnected, `cannot open ${this.#url}: ${String(cause)}`, { cause }),
        );
    }
  }

  /** CON-4: connect and all subscriptions leave in one frame. */
  #opened(): void {
    this.#frames.linkOpened();
    const request = this.#owner.connectRequest();
    const token = this.#tokens.current;
    const connect = token === undefined ? request : { token, ...request };
    try {
      this.#calls.call({ connect }, (reply) => this.#answered(reply));
    } catch (cause) {
      const message = `cannot send the connect command: ${String(cause)}`;
      this.#refused(new TuttiError(clientErrors.disconnected, message, { cause }));
      return;
    }
    this.#isOpen = true;
    this.#owner.linkUp();
    this.#calls.flush();
  }

  #answered({ error, connect }: Reply<unknown>): void {
    this.#isAnswered = true;
    this.#ways.answered();
    if (error !== undefined) {
      this.#connectFailed(error);
      return;
    }
    const result = connect ?? { client: '' };
    const { heartbeatGraceMs } = this.#settings;
    this.#frames.declared(result.frame_bytes_max);
    this.#link?.accepted(result);
    if (result.ping) this.#heartbeat.start(result.ping * 1000 + heartbeatGraceMs);
    this.#pongs = result.pong === true;
    this.#refresh.arm(result);
    const attempt = this.#attempt;
    this.#handle('accepted', { code: 0, reason: 'accepted' });
    if (attempt === this.#attempt) this.#owner.accepted(result);
  }

  #connectFailed({ code, message, temporary }: ErrorReply): void {
    const lastingly = !isWorthRetrying({ code, temporary }) || (code === 109 && !this.#tokens.canRenew);
    const error = new TuttiError(code, message, { temporary: !lastingly });
    if (lastingly) {
      this.#refused(error);
      return;
    }
    if (code === 109) this.#tokens.expire();
    this.#owner.report(error);
    this.lost(message, code);
  }

  #received(link: Link, replies: Reply<unknown>[]): void {
    this.#heartbeat.beat();
    for (const reply of replies) {
      // A listener may have ended this link in between: then the rest of its frame is void.
      if (this.#link !== link) return;
      if (reply.id) this.#calls.answer(reply);
      else if (reply.push !== undefined) this.#pushed(reply.push);
      else if (this.#pongs) this.#calls.tell({});
    }
    this.#owner.handled();
  }

  #pushed(push: Push<unknown>): void {
    if (push.disconnect !== undefined) this.#ended(push.disconnect.code, push.disconnect.reason);
    else if (push.refresh !== undefined) this.#refresh.arm(push.refresh);
    else this.#owner.pushed(push);
  }

  #garbled(cause: unknown): void {
    const error = new TuttiError(clientErrors.badFrame, `not a frame of this protocol: ${String(cause)}`, {
      temporary: true,
      cause,
    });
    this.#owner.report(error);
    this.lost(error.message, clientErrors.badFrame);
  }

  #ended(code: number, reason: string): void {
    // No proxy on the way sends these: the server was reached, whatever it said.
    if (code >= 3000 || code === 1009) this.#isAnswered = true;
    if (code === 3005) this.#tokens.expire();
    const hint = /\bretry=(\d+)/.exec(reason)?.[1];
    const why: Why = { code, reason, ...(hint === undefined ? {} : { hintMs: Math.min(Number(hint), hintMsMax) }) };
    if (code === 1009) this.#endedTooBig(why);
    else this.#handle(isReconnectCode(code) ? 'lost' : 'refused', why);
  }

  /** Only what was too big itself is given up; nothing of its frame took effect. All else is repeated as after any cut. */
  #endedTooBig(why: Why): void {
    const culprit = this.#frames.refused();
    // Reconnecting would end the same way.
    if (culprit === undefined) {
      this.#handle('refused', why);
      return;
    }
    const attempt = this.#attempt;
    if (culprit !== 'several') {
      const error = { code: clientErrors.tooBig, message: 'the server refused it as too big (1009)' };
      if (culprit.id === 0) this.#owner.report(new TuttiError(error.code, error.message));
      else this.#calls.answer({ id: culprit.id, error });
    }
    if (attempt === this.#attempt) this.#handle('lost', why);
  }

  #refused(error: TuttiError): void {
    this.#owner.report(error);
    this.#handle('refused', { code: error.code, reason: error.message });
  }

  #retryIn(ms: number): number {
    this.#timer?.cancel();
    this.#timer = this.#settings.clock.after(ms, () => this.#handle('retry', { code: 0, reason: 'retry' }));
    return ms;
  }

  #network(event: 'online' | 'offline'): void {
    this.#handle(event, { code: 3000, reason: event });
  }

  #dropLink(): void {
    this.#attempt++;
    this.#timer?.cancel();
    this.#ways.linkDown();
    this.#heartbeat.stop();
    this.#refresh.stop();
    this.#tokens.abandon();
    this.#calls.clear();
    this.#isOpen = false;
    this.#pongs = false;
    const link = this.#link;
    this.#link = undefined;
    link?.drop();
  }

  #sendToken(token: string, answered: (error: ErrorReply | undefined, expiry: Expiry) => void): void {
    const command: Pick<Command, 'refresh'> = { refresh: { token } };
    this.#calls.call(command, ({ error, refresh }: Reply<unknown>) => answered(error, refresh ?? {}));
  }
}

function stopError(to: ConnectionState, { code, reason }: Why): TuttiError {
  if (to === 'closed') return new TuttiError(clientErrors.closed, 'the client was closed');
  return new TuttiError(clientErrors.disconnected, `disconnected: ${reason} (${code}); call connect() to go on`);
}

import {
  BadFrame,
  disconnects,
  unsubscribes,
  type ClientInfo,
  type DisconnectKind,
  type ReceivedCommand,
  type Reply,
} from '@tutti/protocol';
import type { Identity } from '../auth/authenticator.ts';
import type { ClosedReason, Connection, ConnectionHandler, OutboundFrame } from '../transport/transport.ts';
import { replyFrame, type Batch } from './batch.ts';
import { CatchUp, type CatchUpHost } from './catch-up.ts';
import type { Timer } from './clock.ts';
import { CommandIntake, type CallOf, type IntakeHost, type TableOf } from './command-intake.ts';
import { CommandPace } from './command-pace.ts';
import type { Expiring } from './expiries.ts';
import { Heartbeat } from './heartbeat.ts';
import { catchUpRoomBytes, fixedLimits } from './limits.ts';
import { OutboundQueue, type QueueOwner } from './outbound-queue.ts';
import type { Services, Target } from './services.ts';
import type { SessionState } from './session-state.ts';
import type { Subscriber, Subscription } from './subscription.ts';
import type { Wakeable } from './timer-wheel.ts';

/** What commands/ is written against. */
export type Call = CallOf<Session>;
export type CommandTable = TableOf<Session>;

/**
 * Identity, subscriptions and positions on one connection: the state that transport, timer wheel,
 * fan-out and commands meet in. How commands are taken in is the intake's, what waits for the peer
 * the queue's.
 */
export class Session implements CatchUpHost, ConnectionHandler, Expiring, IntakeHost, QueueOwner, Subscriber, Wakeable {
  readonly id: string;
  readonly connection: Connection;
  /** By the channel's name with its tenant. */
  readonly subscriptions = new Map<string, Subscription>();
  /** When the credentials were checked last, milliseconds since 1970. */
  identifiedAtMs = 0;
  wheelSlot = -1;
  flushPending = false;
  #state: SessionState = 'new';
  #identity: Identity | undefined;
  readonly #services: Services;
  readonly #intake: CommandIntake<Session>;
  readonly #queue: OutboundQueue;
  readonly #heartbeat: Heartbeat;
  readonly #pace = new CommandPace();
  readonly #connectByMs: number;
  #laneTimer: Timer | undefined;
  #roundTripMs: number | undefined;
  #catchingUp: CatchUp | undefined;
  #answerTurn: Promise<void> | undefined;

  constructor(connection: Connection, services: Services, commands: CommandTable) {
    this.id = services.random.id();
    this.connection = connection;
    this.#services = services;
    this.#intake = new CommandIntake<Session>(this, services, commands);
    const { limits } = services;
    this.#queue = new OutboundQueue(connection, this, limits);
    this.#heartbeat = new Heartbeat(limits, connection);
    this.#connectByMs = services.clock.monotonic() + limits.connectTimeoutMs;
    services.wheel.set(this, limits.connectTimeoutMs);
  }

  get state(): SessionState {
    return this.#state;
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  /** Only of an authenticated session; asking earlier is a bug. */
  get identity(): Identity {
    if (this.#identity === undefined) throw new Error('the session has no identity yet');
    return this.#identity;
  }

  /** Of the identity; empty: none. */
  get tenant(): string {
    return this.identity.tenant ?? '';
  }

  /** Every channel name that the client sends passes here. Throws `Rejection`. */
  resolve(name: string | undefined): Target {
    return this.#services.resolve(name, this.tenant);
  }

  /** False while a connect hook is asked who it is. */
  get isIdentified(): boolean {
    return this.#identity !== undefined;
  }

  get hasRoom(): boolean {
    return this.#state !== 'closed' && this.#queue.bytes < catchUpRoomBytes(this.#services.limits);
  }

  /** Others see it in the channel's presence. */
  isMemberOf({ channel }: Subscription): boolean {
    return channel?.namespace.presence === true && this.connection.isBrief !== true;
  }

  /** How others see this session in a channel. */
  clientInfo(subscription?: Subscription): ClientInfo {
    const { user, info } = this.identity;
    return {
      user,
      client: this.id,
      ...(info === undefined ? {} : { conn_info: info }),
      ...(subscription?.info === undefined ? {} : { chan_info: subscription.info }),
    };
  }

  // What the transport calls.

  receive(frame: Uint8Array): void {
    if (this.#state === 'closed') return;
    this.#services.turns.begin();
    this.#heartbeat.busyAtMs = this.#services.clock.monotonic();
    this.#services.telemetry.count('frames_received');
    this.#services.telemetry.count('bytes_received', frame.length);
    let commands: ReceivedCommand[];
    try {
      commands = this.connection.codec.decodeCommands(frame);
    } catch (error) {
      if (!(error instanceof BadFrame)) this.#services.bug(error);
      this.disconnect(disconnects.badRequest, error instanceof BadFrame ? error.message : undefined);
      return;
    }
    for (const command of commands) this.#intake.accept(command);
    this.#pace.keep(this.connection, commands.length, frame.length, this.#services);
  }

  confirmed(roundTripMs: number | undefined, aheadBytes: number): void {
    if (this.#state === 'closed') return;
    if (roundTripMs !== undefined) this.#services.telemetry.observe('ping_round_trip_ms', roundTripMs);
    this.#roundTripMs = roundTripMs;
    const { clock, turns } = this.#services;
    turns.begin();
    const now = clock.monotonic();
    this.#queue.confirmed(roundTripMs, aheadBytes, now, turns.unreadMs(now));
    // A slow reader is not a dead one: what it confirms lies before the ping that it has not reached yet.
    // The word of the kernel is none of the peer's.
    if (roundTripMs !== undefined) this.#heartbeat.alive(now);
    this.flush();
  }

  closed(reason: ClosedReason): void {
    this.#services.idleCuts.closed(reason, this.#heartbeat.busyAtMs);
    this.#end(reason);
    const { byPeer, code } = reason;
    this.#services.telemetry.log.debug({ client: this.id, code, byPeer }, 'connection closed');
  }

  /** What the timer wheel calls. */
  wake(nowMs: number): void {
    if (this.#state === 'closed') return;
    if (this.#state !== 'open') {
      this.#checkConnected(nowMs);
      return;
    }
    const due = this.#heartbeat.due(nowMs);
    if (due === 'dead') {
      this.disconnect(disconnects.noPong);
      return;
    }
    if (due === 'ping') this.#ping(nowMs);
    const untilExpiry = this.#services.expiries.check(this);
    if (this.isOpen) this.#services.wheel.set(this, Math.min(this.#heartbeat.nextIn(nowMs), untilExpiry));
  }

  #ping(nowMs: number): void {
    if (this.connection.protocolPings === undefined) this.#enqueue(this.#services.pingFrame(this.connection.codec));
    else this.#queue.mark();
    this.#heartbeat.pinged(nowMs);
  }

  /** The wheel may wake earlier than asked; and a verdict that we owe is not the client's fault. */
  #checkConnected(nowMs: number): void {
    const left = this.#connectByMs - nowMs;
    if (left > 0) this.#services.wheel.set(this, left);
    else this.disconnect(this.#state === 'authenticating' ? disconnects.internal : disconnects.stale);
  }

  // What the intake calls.

  beginConnect(): void {
    this.#state = 'authenticating';
  }

  refuseConnect(): void {
    this.#state = 'refused';
  }

  pong(): boolean {
    const wasAsked = this.#heartbeat.pong();
    if (wasAsked) this.#pace.spare();
    return wasAsked;
  }

  // What commands and the node call.

  /** Credentials were presented and are good: those of the connect, or of a refresh by the same user. */
  identify(identity: Identity): void {
    this.#identity = identity;
    this.identifiedAtMs = this.#services.clock.now();
  }

  /** Called with the answer to the connect: from now on commands are acted on. */
  open(): void {
    this.#state = 'open';
    this.#services.sessionOpened(this);
    this.#services.observation?.opened(this);
    this.connection.protocolPings?.begin(this.#services.pingFrame(this.connection.codec));
    const now = this.#services.clock.monotonic();
    this.#heartbeat.start(now, this.#services.random.next());
    this.wake(now);
  }

  /** What the application changed of the identity. */
  renew(identity: Identity): void {
    this.#identity = identity;
    this.wake(this.#services.clock.monotonic());
  }

  /** Its own expiry, or a subscription's, changed: look again when the next is due. */
  expiryChanged(): void {
    this.wake(this.#services.clock.monotonic());
  }

  deliver(batch: Batch): void {
    if (this.#state === 'closed') return;
    this.#services.telemetry.count('publications_delivered', batch.pushes.length);
    this.#queue.deliver(batch);
    if (this.#isStillOpen()) this.#services.flushes.connection(this);
  }

  /**
   * To be awaited before a large answer is made: resolves at once while little waits for the peer, else one
   * caller after another, each in a turn of the loop of its own. Many asked for at once would stop the others (S22).
   */
  answerTurn(): Promise<void> | undefined {
    if (this.hasRoom || this.#state === 'closed') return undefined;
    const turn = (this.#answerTurn ?? Promise.resolve()).then(
      () => new Promise<void>((resolve) => this.#services.clock.soon(resolve)),
    );
    this.#answerTurn = turn;
    return turn;
  }

  /** Answers and control, for this session alone. */
  send(reply: Reply): void {
    if (this.#state === 'closed') return;
    this.#enqueue(replyFrame(this.connection.codec, reply));
  }

  /** How far the peer lags: bytes that wait here and on their way, and the last known round trip. */
  get lag(): { bytes: number; roundTripMs: number | undefined } {
    return { bytes: this.#queue.bytes + this.connection.inFlight, roundTripMs: this.#roundTripMs };
  }

  /** Hands waiting frames to the transport; then there may be room for who waits for it. */
  flush(): void {
    if (this.#state === 'closed') return;
    const now = this.#services.clock.monotonic();
    const bytes = this.#queue.flush(now);
    if (bytes > 0) this.#heartbeat.busyAtMs = now;
    if (bytes > 0) this.#services.telemetry.count('bytes_sent', bytes);
    this.#flushAgainIn(this.#queue.dueIn(now));
    this.#catchingUp?.go();
  }

  /** Changes how often a subscription is updated; returns the interval that is kept, milliseconds. */
  setInterval(subscription: Subscription, wantedMs: number): number {
    subscription.intervalMs = Math.min(wantedMs, fixedLimits.intervalMaxMs);
    this.#queue.intervalChanged(subscription.channelName);
    this.#services.flushes.connection(this);
    return subscription.intervalMs;
  }

  // What the queue calls.

  intervalOf(channel: string): number {
    return this.subscriptions.get(channel)?.intervalMs ?? 0;
  }

  fellBehind(channel: string, offset: number | undefined): void {
    const subscription = this.subscriptions.get(channel);
    if (subscription === undefined) return;
    this.#services.hub.fallBehind(subscription, offset);
    this.catchUp(subscription);
  }

  tooSlow(): void {
    this.#services.telemetry.count('slow_disconnects');
    this.disconnect(disconnects.slow);
  }

  skipped(how: 'conflated' | 'dropped', namespace: string, count: number): void {
    this.#services.telemetry.count(`publications_${how}`, count, namespace);
  }

  /** Brings a subscription that is behind up to its channel's top, as the connection drains. */
  catchUp(subscription: Subscription): void {
    if (subscription.state !== 'behind') return;
    this.#catchingUp ??= new CatchUp(this);
    this.#catchingUp.add(subscription);
  }

  mayRead(subscription: Subscription): boolean {
    return this.hasRoom && this.#queue.isClear(subscription.channelName);
  }

  soon(fn: () => void): void {
    this.#services.clock.soon(fn);
  }

  readPage(subscription: Subscription): Promise<boolean> {
    return this.#services.recovery.readPage(subscription);
  }

  endSubscription(subscription: Subscription, kind: DisconnectKind): void {
    if (subscription.state === 'ended') return;
    if (subscription.serverSide) {
      const expired = kind.code === unsubscribes.expired.code;
      this.disconnect(expired ? disconnects.subscriptionExpired : disconnects.insufficientState);
      return;
    }
    this.dropSubscription(subscription, kind);
    this.send({ push: { channel: subscription.wireName, unsubscribe: { code: kind.code, reason: kind.reason } } });
  }

  /** Leaves the channel without telling the client. Idempotent. */
  dropSubscription(subscription: Subscription, kind: DisconnectKind = unsubscribes.client): void {
    if (this.subscriptions.get(subscription.channelName) === subscription)
      this.subscriptions.delete(subscription.channelName);
    if (subscription.state === 'ended') return;
    this.#services.observation?.unsubscribed(this, subscription, kind);
    const isMember = subscription.state !== 'joining' && this.isMemberOf(subscription);
    this.#services.hub.leave(subscription);
    this.#queue.drop(subscription.channelName);
    if (isMember) this.#services.leavePresence(subscription.channelName, this.id);
  }

  /** Ends the connection. Idempotent. `detail` goes to the log, never to the peer. */
  disconnect(kind: DisconnectKind, detail?: string): void {
    if (this.#state === 'closed') return;
    this.#services.telemetry.log.debug({ client: this.id, code: kind.code, detail }, `disconnect: ${kind.reason}`);
    if (kind !== disconnects.slow) this.flush();
    this.#end({ ...kind, byPeer: false });
    this.connection.close(kind);
  }

  /**
   * Acts on no further command, and ends once those under way are answered (CON-3). Publications go on
   * until then. Whoever calls it bounds the wait.
   */
  retire(kind: DisconnectKind): void {
    this.#intake.retire(kind);
  }

  #enqueue(frame: OutboundFrame): void {
    if (this.#state === 'closed') return;
    this.#queue.push(frame);
    if (this.#isStillOpen()) this.#services.flushes.connection(this);
  }

  /** A function, because the queue may have ended the session, which the compiler does not see. */
  #isStillOpen(): boolean {
    return this.#state !== 'closed';
  }

  /** For lanes with an interval only: they wait for time, not for the peer. */
  #flushAgainIn(ms: number): void {
    this.#laneTimer?.cancel();
    this.#laneTimer = ms === Infinity ? undefined : this.#services.clock.after(ms, () => this.flush());
  }

  #end(reason: ClosedReason): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    const lagBytes = this.lag.bytes;
    this.#services.wheel.remove(this);
    for (const each of [...this.subscriptions.values()]) this.dropSubscription(each, unsubscribes.disconnect);
    this.#queue.clear();
    this.#laneTimer?.cancel();
    this.#catchingUp = undefined;
    this.#services.observation?.ended(this, reason, lagBytes);
    this.#services.sessionEnded(this, reason.byPeer ? undefined : reason.code);
  }
}

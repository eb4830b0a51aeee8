import { disconnects, Rejection, rejections, type Codec } from '@tutti/protocol';
import type { HistoryPage, HistoryQuery, LivePublication, PublicationDraft, PublishOutcome } from '../broker/broker.ts';
import type { Namespace } from '../config/namespace.ts';
import { channelWithin } from '../config/tenant.ts';
import type { Hooks } from '../hooks/hooks.ts';
import type { NodeObserver } from '../observer/node-observer.ts';
import type { Revocation } from '../revocation/revocation-list.ts';
import type { Connection, ConnectionHandler, OutboundFrame } from '../transport/transport.ts';
import { closeFamily } from './close-family.ts';
import { commands } from './commands/index.ts';
import { CommandLimits } from './command-limits.ts';
import { Directory } from './directory.ts';
import { Drain, shutdownKind, type DrainOptions, type DrainProgress, type DrainReport } from './drain.ts';
import { Expiries } from './expiries.ts';
import { FlushScheduler } from './flush-scheduler.ts';
import { Hub } from './hub.ts';
import { JoinLeave } from './join-leave.ts';
import { IdleCuts } from './idle-cuts.ts';
import { LagSampler } from './lag-sampler.ts';
import { LookAgain } from './look-again.ts';
import { Observation } from './observation.ts';
import { PositionChecks } from './position-checks.ts';
import { checkMarks, publishTo, type PublishExtras } from './publishing.ts';
import { Recovery } from './recovery.ts';
import { Revocations, type RevocationOptions } from './revocations.ts';
import type { Services } from './services.ts';
import { endRevoked, impliedBy } from './revoking.ts';
import type { SeenUsers } from './seen-users.ts';
import { Session } from './session.ts';
import { TimerWheel } from './timer-wheel.ts';
import type { TokenFailures } from './token-failures.ts';
import { Turns } from './turns.ts';

export interface NodeOptions extends Pick<
  Services,
  'clock' | 'random' | 'limits' | 'telemetry' | 'broker' | 'presence' | 'authenticator' | 'authorizer' | 'rpc' | 'node'
> {
  readonly revocations: RevocationOptions;
  /** Finds the namespace of a channel name and checks the name. Throws `Rejection`. */
  readonly namespaces: { resolve(channel: unknown): Namespace };
  /** Throws where bytes are no JSON. */
  readonly validateJson: (bytes: Uint8Array) => void;
  /**
   * How often each channel's position is compared with the log (DEL-7). 0: never, for brokers that
   * deliver in this process and cannot lose what they deliver.
   */
  readonly positionCheckIntervalMs: number;
  /** Whose positions are compared, then and when the broker was interrupted. Absent: every channel's that has one. */
  readonly mayLoseLive?: (namespace: Namespace) => boolean;
  /** Absent: bad tokens are not counted by address. */
  readonly tokenFailures?: TokenFailures;
  /** Absent: the application is asked nothing. */
  readonly hooks?: Hooks;
  /** Absent: nobody keeps when users were last here. */
  readonly seen?: Pick<SeenUsers, 'came' | 'left'>;
  /** Told what happens to sessions and channels, in this order. */
  readonly observers?: readonly NodeObserver[];
  /** Takes the publications of canaries, which are no channel's; false for any other. Never throws. */
  readonly takeCanary?: (live: LivePublication) => boolean;
}

export interface NodeFigures {
  readonly connections: number;
  readonly channels: number;
  readonly subscriptions: number;
  readonly topChannels: readonly { channel: string; subscribers: number }[];
}

/**
 * One server process: its sessions, its hub, and what they share. Everything that touches the
 * world outside comes in through `NodeOptions`.
 */
export class Node {
  readonly #options: NodeOptions;
  readonly #services: Services;
  readonly #sessions = new Map<string, Session>();
  /** Those whose connect was not answered yet. */
  readonly #unauthenticated = new Set<string>();
  readonly #pings = new Map<string, OutboundFrame>();
  readonly #positionChecks: PositionChecks;
  /** Whom no signature lets in any more. */
  readonly revocations: Revocations;
  /** Who is connected here, to be seen and steered. */
  readonly directory: Directory;
  readonly #lag: LagSampler;
  readonly #joinLeave: JoinLeave;
  #drain: Drain<Session> | undefined;
  #isClosing = false;

  constructor(options: NodeOptions) {
    this.#options = options;
    const { clock, random, broker, limits, telemetry, hooks = { connectFor: 'no_token' }, observers = [] } = options;
    const bug = (error: unknown): void => {
      telemetry.count('bugs');
      telemetry.log.error({ error }, 'bug: this should be impossible; please report it');
    };
    this.#lag = new LagSampler(this.#sessions, telemetry);
    const flushes = new FlushScheduler(clock, limits.flushDelayMaxMs, bug, (ms) => {
      telemetry.observe('flush_ms', ms);
    });
    const lookAgain = new LookAgain(clock, random);
    const hub = new Hub(broker, flushes, limits, telemetry, lookAgain);
    const { positionCheckIntervalMs: intervalMs, mayLoseLive = () => true } = options;
    this.#positionChecks = new PositionChecks({ ...options, hub, lookAgain, intervalMs, mayLoseLive });
    this.revocations = new Revocations(options.revocations, options, (news) => {
      this.#endRevoked(news);
    });
    this.#services = {
      ...options,
      hooks,
      expiries: new Expiries(hooks, limits, { clock, random }),
      hub,
      flushes,
      recovery: new Recovery(broker, hub, limits, telemetry),
      wheel: new TimerWheel(clock),
      revocations: this.revocations,
      idleCuts: new IdleCuts(clock, telemetry.log, limits.pingIntervalMs),
      resolve: (name = '', tenant) => ({
        namespace: options.namespaces.resolve(name),
        name,
        channel: channelWithin(tenant, name),
      }),
      turns: new Turns(clock),
      checkPayload: (payload, namespace) => {
        this.#checkPayload(payload, namespace);
      },
      pingFrame: (codec) => this.#pingFrame(codec),
      joinPresence: (channel, member) => {
        options.presence.add(channel, member).catch((error: unknown) => {
          telemetry.log.error({ seam: 'presence', channel, error }, 'a member could not be added');
        });
      },
      leavePresence: (channel, client) => {
        options.presence.remove(channel, client).catch((error: unknown) => {
          telemetry.log.error({ seam: 'presence', channel, error }, 'a member could not be removed');
        });
      },
      sessionOpened: ({ id }) => {
        this.#unauthenticated.delete(id);
        const session = this.#sessions.get(id);
        if (session !== undefined) options.seen?.came(session.identity);
      },
      sessionEnded: ({ id }, code) => {
        this.#sessionEnded(id, code);
      },
      bug,
      commandLimits: CommandLimits.of(limits, clock),
      observation: observers.length === 0 ? undefined : new Observation(observers, bug),
    };
    this.#joinLeave = new JoinLeave({
      clock,
      namespaceOf: (channel) => hub.channels.get(channel)?.namespace,
      announce: (channel, kind, member) => {
        hub.announce(channel, kind, member);
      },
    });
    this.directory = new Directory(this.#sessions, this.#services);
  }

  /** Joins the broker. Throws `Fault`. */
  async start(): Promise<void> {
    const { hub } = this.#services;
    // Nobody is let in before it is known who must not be.
    await this.revocations.start();
    await this.#options.presence.start(this.#joinLeave);
    await this.#options.broker.start({
      publication: (live) => {
        if (this.#options.takeCanary?.(live) !== true) hub.receive(live);
      },
      interrupted: () => {
        void this.#positionChecks.verify();
      },
    });
    this.#positionChecks.start();
  }

  /** Gives a new connection its session. */
  accept(connection: Connection): ConnectionHandler {
    const session = new Session(connection, this.#services, commands);
    this.#options.telemetry.count('connections_opened');
    this.#sessions.set(session.id, session);
    this.#unauthenticated.add(session.id);
    if (this.#isClosing) session.disconnect(disconnects.shutdown);
    else if (this.#drain !== undefined) session.disconnect(shutdownKind(this.#options.random));
    // Many silent connections must not take the place of those who have something to show (S3).
    else if (this.#unauthenticated.size > this.#options.limits.unauthenticatedMax) {
      session.disconnect(disconnects.tooManyRequests, 'too many connections have not authenticated');
    }
    return session;
  }

  /**
   * Publishes for the application; no rights are asked, channel and payload are checked. Throws
   * `Rejection`, and what the broker throws.
   */
  publish(name: string, draft: PublicationDraft, extras: PublishExtras = {}, tenant = ''): Promise<PublishOutcome> {
    const target = this.#services.resolve(name, tenant);
    this.#checkPayload(draft.data, target.namespace);
    checkMarks(draft);
    return publishTo(this.#services, target, draft, extras);
  }

  history(name: string, query: HistoryQuery, tenant = ''): Promise<HistoryPage> {
    const { channel } = this.#services.resolve(name, tenant);
    return this.#options.broker.history(channel, query);
  }

  /** Forgets the kept publications; positions stay comparable. */
  removeHistory(name: string, tenant = ''): Promise<void> {
    const { channel } = this.#services.resolve(name, tenant);
    return this.#options.broker.removeHistory(channel);
  }

  /** What is open now; `topChannels` counts subscribers and is as long as asked. */
  figures(topChannels: number): NodeFigures {
    const { channels } = this.#services.hub;
    let subscriptions = 0;
    // Asked every second: only the few that are wanted are ever kept in order, not all channels sorted.
    const top: { channel: string; subscribers: number }[] = [];
    for (const channel of channels.values()) {
      const subscribers = channel.live.size + channel.behind.size;
      subscriptions += subscribers;
      if (top.length >= topChannels && subscribers <= (top.at(-1)?.subscribers ?? Infinity)) continue;
      const place = top.findIndex((other) => other.subscribers < subscribers);
      top.splice(place === -1 ? top.length : place, 0, { channel: channel.name, subscribers });
      if (top.length > topChannels) top.pop();
    }
    return { connections: this.#sessions.size, channels: channels.size, subscriptions, topChannels: top };
  }

  /** Connections whose connect was not answered yet. */
  get unauthenticated(): number {
    return this.#unauthenticated.size;
  }

  /** Observes how far some connections lag, others each time. */
  sampleLag(): void {
    this.#lag.sample();
  }

  /** Undefined: the node is not draining. */
  get drainProgress(): DrainProgress | undefined {
    return this.#drain?.progress;
  }

  /**
   * Sends every client away, in random order and spread over the time given (CON-3). Until its turn
   * comes, a connection is served as always; new ones are sent away at once. Called once.
   */
  drain(options: DrainOptions): Promise<DrainReport> {
    this.#drain = new Drain(this.#sessions.values(), options, this.#options);
    return this.#drain.run();
  }

  /** Tells every client that is left to reconnect elsewhere. The broker is the caller's to close, afterwards. */
  stop(): void {
    this.#isClosing = true;
    this.revocations.stop();
    this.#options.authenticator.close?.();
    this.#positionChecks.stop();
    this.#joinLeave.stop();
    this.#services.flushes.flush();
    for (const session of [...this.#sessions.values()]) session.disconnect(disconnects.shutdown);
    this.#services.wheel.stop();
  }

  #sessionEnded(id: string, code: number | undefined): void {
    const wasOpen = !this.#unauthenticated.delete(id);
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    this.#sessions.delete(id);
    if (wasOpen) this.#options.seen?.left(session.identity);
    this.#options.telemetry.count('connections_closed', 1, closeFamily(code));
    this.#drain?.ended(session);
  }

  #endRevoked(news: readonly Revocation[]): void {
    for (const revocation of news) {
      const { subject, tenant } = revocation;
      const implied = impliedBy(this.#sessions.get(subject), revocation);
      if (implied === undefined) continue;
      const { tokenId, ...expiry } = implied;
      this.revocations.imply({ what: 'token', tenant, subject: tokenId, ...expiry });
    }
    endRevoked(this.#sessions.values(), this.#services, news);
  }

  #checkPayload(payload: Uint8Array, namespace: Namespace): void {
    if (namespace.payload === 'binary') return;
    try {
      this.#options.validateJson(payload);
    } catch (error) {
      const reason = error instanceof Error ? error.message : 'no JSON';
      throw new Rejection(rejections.badRequest, `the channel carries JSON, and the data is none: ${reason}`);
    }
  }

  /** One frame for all, so that its wire form is made once. */
  #pingFrame(codec: Codec): OutboundFrame {
    const known = this.#pings.get(codec.name);
    if (known !== undefined) return known;
    const frame = { bytes: codec.joinReplies([codec.encodeReply({})]), binary: codec.binary };
    this.#pings.set(codec.name, frame);
    return frame;
  }
}

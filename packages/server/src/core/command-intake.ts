import {
  Disconnect,
  disconnects,
  Rejection,
  rejections,
  type Command,
  type DisconnectKind,
  type ReceivedCommand,
  type Reply,
} from '@tutti/protocol';
import { limitRejection, type Limited, type SessionBuckets } from './command-limits.ts';
import { Lanes } from './lanes.ts';
import { rejectionOf } from './rejection-of.ts';
import type { Services } from './services.ts';
import type { SessionState } from './session-state.ts';

export type Method = Exclude<keyof Command, 'id' | 'ping'>;

/** A session, as far as its commands go. */
export interface IntakeHost {
  readonly state: SessionState;
  /** Asked only of a session that is open. */
  readonly identity: Pick<Limited, 'user'>;
  readonly tenant: string;
  /** A connect came: from now on the session is `authenticating`. */
  beginConnect(): void;
  /** The connect was answered with an error. */
  refuseConnect(): void;
  /** False: nobody had asked for it. */
  pong(): boolean;
  send(reply: Reply): void;
  disconnect(kind: DisconnectKind, detail?: string): void;
}

/** One command under way. */
export interface CallOf<Session> {
  readonly session: Session;
  readonly services: Services;
  readonly command: ReceivedCommand;
  reply(result: Omit<Reply, 'id'>): void;
  /** Answers later, without holding back the next command of the channel. Rejections are answered as errors. */
  replyWhen(result: Promise<Omit<Reply, 'id'>>): void;
}

/** Acts on one command. Until it resolves, later commands of the same channel wait. Throws `Rejection` or `Disconnect`. */
export type HandlerOf<Session> = (call: CallOf<Session>) => Promise<void> | void;
export type TableOf<Session> = Readonly<Record<Method, HandlerOf<Session>>>;

/** One for all: an error costs its stack, and a flood would have thousands a second made. */
const tooManyWait = new Rejection(
  rejections.tooManyRequests,
  'too many commands of this connection wait for an answer',
);

const methods: readonly Method[] = [
  'connect',
  'subscribe',
  'unsubscribe',
  'publish',
  'presence',
  'presence_stats',
  'history',
  'send',
  'rpc',
  'refresh',
  'sub_refresh',
];

/**
 * The commands of one session, from coming in to being answered. What a command does is in
 * commands/, one file each.
 *
 * They take effect in the order in which they came: none before the connect is authorised, and those
 * of one channel one after another. As many as `pendingCommandsMax` may wait for an answer.
 */
export class CommandIntake<Session extends IntakeHost> {
  readonly #session: Session;
  readonly #services: Services;
  readonly #commands: TableOf<Session>;
  #lanes: Lanes | undefined;
  /** Came in one frame with the connect. */
  #waiting: ReceivedCommand[] | undefined;
  #pending = 0;
  #buckets: SessionBuckets | undefined;
  #retiring: DisconnectKind | undefined;

  constructor(session: Session, services: Services, commands: TableOf<Session>) {
    this.#session = session;
    this.#services = services;
    this.#commands = commands;
  }

  accept(command: ReceivedCommand): void {
    const session = this.#session;
    if (session.state === 'closed' || session.state === 'refused') return;
    const method = methods.find((name) => command[name] !== undefined);
    if (method === undefined) {
      this.#acceptPong(command);
      return;
    }
    const hasId = command.id !== undefined && command.id > 0;
    const isConnect = method === 'connect';
    if ((!hasId && method !== 'send') || isConnect !== (session.state === 'new')) {
      session.disconnect(
        disconnects.badRequest,
        isConnect ? 'connect came twice' : `${method} came before connect, or without an id`,
      );
      return;
    }
    // Not answered is not acknowledged: the client repeats it where it goes next.
    if (this.#retiring !== undefined) return;
    this.#services.telemetry.count('commands_received', 1, method);
    if (session.state === 'authenticating') {
      this.#wait(command);
      return;
    }
    if (isConnect) session.beginConnect();
    this.#dispatch(method, command);
  }

  /** Ends the session when the commands under way are answered, and takes no more. */
  retire(kind: DisconnectKind): void {
    this.#retiring ??= kind;
    if (this.#pending === 0) this.#session.disconnect(this.#retiring);
  }

  #acceptPong(command: Command): void {
    const isPong = command.id === undefined && command.ping === undefined;
    if (!isPong || this.#session.state !== 'open' || !this.#session.pong()) {
      this.#session.disconnect(disconnects.badRequest, 'an empty or unknown command, or a pong that nobody asked for');
    }
  }

  #wait(command: ReceivedCommand): void {
    this.#waiting ??= [];
    if (this.#waiting.length >= this.#services.limits.pendingCommandsMax) {
      this.#session.disconnect(disconnects.tooManyRequests, 'too many commands before the connect was answered');
      return;
    }
    this.#waiting.push(command);
  }

  #dispatch(method: Method, command: ReceivedCommand): void {
    if (this.#pending >= this.#services.limits.pendingCommandsMax) {
      this.#reject(command, tooManyWait);
      return;
    }
    if (this.#isLimited(method, command)) return;
    const handler = command.flaw === undefined ? this.#commands[method] : refuseFlawed;
    this.#lanes ??= new Lanes();
    // Counted from here, because those that wait behind another of their channel hold memory, too.
    this.#pending += 1;
    this.#lanes.run(channelOf(method, command), () => {
      const held = this.#run(handler, method, command);
      if (held !== undefined) return held.then(() => this.#answered());
      this.#answered();
      return undefined;
    });
  }

  /** S21: true where it was refused, because there were too many before it. */
  #isLimited(method: Method, command: ReceivedCommand): boolean {
    const { commandLimits, telemetry } = this.#services;
    if (commandLimits === undefined || this.#session.state !== 'open') return false;
    const { identity, tenant } = this.#session;
    const refused = commandLimits.refuse(method, { tenant, user: identity.user }, (this.#buckets ??= {}));
    if (refused === undefined) return false;
    telemetry.count('commands_limited', 1, refused.limit);
    this.#reject(command, limitRejection(refused.limit, refused.waitMs));
    return true;
  }

  /** Never throws; a promise never rejects. */
  #run(handler: HandlerOf<Session>, method: Method, command: ReceivedCommand): Promise<void> | void {
    if (this.#session.state === 'closed') return undefined;
    try {
      const held = handler(this.#call(command));
      if (held === undefined) return undefined;
      return held
        .catch((error: unknown) => {
          this.#reject(command, error);
        })
        .then(() => {
          if (method === 'connect') this.#connectAnswered();
        });
    } catch (error) {
      this.#reject(command, error);
      return undefined;
    }
  }

  #answered(): void {
    this.#pending -= 1;
    if (this.#pending > 0) return;
    // An idle session holds no lanes.
    this.#lanes = undefined;
    if (this.#retiring !== undefined) this.#session.disconnect(this.#retiring);
  }

  #call(command: ReceivedCommand): CallOf<Session> {
    const reply = (result: Omit<Reply, 'id'>): void => {
      this.#session.send(command.id === undefined ? result : { id: command.id, ...result });
    };
    const replyWhen = (result: Promise<Omit<Reply, 'id'>>): void => {
      this.#pending += 1;
      result
        .then(reply)
        .catch((error: unknown) => {
          this.#reject(command, error);
        })
        .finally(() => {
          this.#answered();
        });
    };
    return { session: this.#session, services: this.#services, command, reply, replyWhen };
  }

  #connectAnswered(): void {
    if (this.#session.state === 'authenticating') this.#session.refuseConnect();
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const command of waiting) this.accept(command);
  }

  /** Never throws: nothing stands above it but the process. */
  #reject(command: Command, error: unknown): void {
    if (this.#session.state === 'closed') return;
    try {
      this.#refuse(command, error);
    } catch (bug) {
      // A refusal of the application's making that no codec carries, for one.
      this.#fail(bug);
    }
  }

  #refuse(command: Command, error: unknown): void {
    if (error instanceof Disconnect) {
      this.#session.disconnect(error.kind, error.message);
      return;
    }
    const rejection = rejectionOf(error, this.#services);
    if (rejection === undefined) {
      this.#fail(error);
      return;
    }
    const { code, temporary } = rejection.kind;
    this.#services.telemetry.count('commands_rejected', 1, String(code));
    const reply = { code, message: rejection.message, ...(temporary ? { temporary } : {}) };
    if (command.id !== undefined) this.#session.send({ id: command.id, error: reply });
  }

  #fail(error: unknown): void {
    this.#services.bug(error);
    this.#session.disconnect(disconnects.internal);
  }
}

/** As the other codec's payloads are refused, too: a mistake in one payload is no mistake of the connection. */
function refuseFlawed<Session>({ command }: CallOf<Session>): Promise<void> {
  return Promise.reject(new Rejection(rejections.badRequest, command.flaw));
}

/** Commands of one channel are a lane; others have none. */
function channelOf(method: Method, command: Command): string | undefined {
  const request = command[method];
  return request !== undefined && 'channel' in request ? request.channel : undefined;
}

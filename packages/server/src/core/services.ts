import type { ClientInfo, Codec } from '@tutti/protocol';
import type { Authenticator } from '../auth/authenticator.ts';
import type { Authorizer } from '../auth/authorizer.ts';
import type { Broker } from '../broker/broker.ts';
import type { Namespace } from '../config/namespace.ts';
import type { Hooks } from '../hooks/hooks.ts';
import type { Presence } from '../presence/presence.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { OutboundFrame } from '../transport/transport.ts';
import type { Clock } from './clock.ts';
import type { Expiries } from './expiries.ts';
import type { FlushScheduler } from './flush-scheduler.ts';
import type { Hub } from './hub.ts';
import type { IdleCuts } from './idle-cuts.ts';
import type { CommandLimits } from './command-limits.ts';
import type { Limits } from './limits.ts';
import type { Observation } from './observation.ts';
import type { Random } from './random.ts';
import type { Recovery } from './recovery.ts';
import type { Revocations } from './revocations.ts';
import type { RpcMethods } from './rpc.ts';
import type { TimerWheel } from './timer-wheel.ts';
import type { TokenFailures } from './token-failures.ts';
import type { Turns } from './turns.ts';

/** What every session of a node shares. */
export interface Services {
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: Limits;
  readonly telemetry: Telemetry;
  readonly broker: Broker;
  readonly presence: Presence;
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly hooks: Hooks;
  readonly hub: Hub;
  readonly recovery: Recovery;
  readonly flushes: FlushScheduler;
  readonly revocations: Revocations;
  readonly wheel: TimerWheel;
  readonly turns: Turns;
  readonly expiries: Expiries;
  readonly idleCuts: IdleCuts;
  readonly rpc: RpcMethods;
  readonly node: NodeFacts;
  /** Undefined: no command is limited. */
  readonly commandLimits: CommandLimits | undefined;
  /** Undefined: bad tokens are not counted by address. */
  readonly tokenFailures?: TokenFailures;
  /** Undefined: nobody observes. */
  readonly observation: Observation | undefined;
  /** Checks a channel name as a client of that tenant sent it, and finds what it means. Throws `Rejection`. */
  resolve(name: string | undefined, tenant: string): Target;
  /** Throws `Rejection` where the namespace carries JSON and the payload is none. */
  checkPayload(payload: Uint8Array, namespace: Namespace): void;
  pingFrame(codec: Codec): OutboundFrame;
  /** Neither throws; a failure is for the log, because presence is not worth a connection. */
  joinPresence(channel: string, member: ClientInfo): void;
  leavePresence(channel: string, client: string): void;
  /** Its connect was answered. */
  sessionOpened(session: { readonly id: string }): void;
  /** `code`: with which we closed it; absent where the peer ended it. */
  sessionEnded(session: { readonly id: string }, code?: number): void;
  /** Counts and logs what should be impossible. */
  bug(error: unknown): void;
}

/** A channel that somebody named. */
export interface Target {
  /** As broker, hub and presence know it: with its tenant. */
  readonly channel: string;
  /** As it was named, and is called towards clients of its tenant. */
  readonly name: string;
  readonly namespace: Namespace;
}

export interface NodeFacts {
  readonly name: string;
  readonly version: string;
  /** Name of a user's own channel, subscribed by the server; undefined where there is none. */
  personalChannel(user: string): string | undefined;
}

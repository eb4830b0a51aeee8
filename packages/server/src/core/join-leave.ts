import type { ClientInfo } from '@tutti/protocol';
import type { Namespace } from '../config/namespace.ts';
import type { PresenceEvents } from '../presence/presence.ts';
import type { Clock, Timer } from './clock.ts';

/** Users whose leave waits for their return; of more it is told at once. */
const waitingMax = 10_000;

export interface JoinLeaveSeams {
  readonly clock: Clock;
  /** Undefined: nobody on this node is in the channel. */
  namespaceOf(channel: string): Namespace | undefined;
  announce(channel: string, kind: 'join' | 'leave', member: ClientInfo): void;
}

/**
 * Which of the comings and goings the subscribers of this node are told: none, those of connections, or
 * those of users. A user who is back within the grace was not away, so that loading a page anew is no leave
 * and join. The list of members is not concerned: it has the connections that there are.
 */
export class JoinLeave implements PresenceEvents {
  readonly #seams: JoinLeaveSeams;
  /** By channel and user. */
  readonly #waiting = new Map<string, Timer>();

  constructor(seams: JoinLeaveSeams) {
    this.#seams = seams;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  join(channel: string, member: ClientInfo, isFirst: boolean): void {
    const isBack = isFirst && this.#cancel(keyOf(channel, member));
    const namespace = this.#asked(channel);
    if (namespace === undefined || (isByUser(namespace, member) && (!isFirst || isBack))) return;
    this.#seams.announce(channel, 'join', member);
  }

  leave(channel: string, member: ClientInfo, isLast: boolean): void {
    const namespace = this.#asked(channel);
    if (namespace === undefined) return;
    if (!isByUser(namespace, member)) {
      this.#seams.announce(channel, 'leave', member);
      return;
    }
    if (!isLast) return;
    const { presenceGraceMs } = namespace;
    if (presenceGraceMs === 0 || this.#waiting.size >= waitingMax) {
      this.#seams.announce(channel, 'leave', member);
      return;
    }
    const key = keyOf(channel, member);
    this.#cancel(key);
    const timer = this.#seams.clock.after(presenceGraceMs, () => {
      this.#waiting.delete(key);
      if (this.#asked(channel) !== undefined) this.#seams.announce(channel, 'leave', member);
    });
    this.#waiting.set(key, timer);
  }

  stop(): void {
    for (const timer of this.#waiting.values()) timer.cancel();
    this.#waiting.clear();
  }

  #asked(channel: string): Namespace | undefined {
    const namespace = this.#seams.namespaceOf(channel);
    return namespace?.joinLeave === true ? namespace : undefined;
  }

  #cancel(key: string): boolean {
    this.#waiting.get(key)?.cancel();
    return this.#waiting.delete(key);
  }
}

/** Those without a name are not one user. */
function isByUser({ joinLeaveBy }: Namespace, { user }: ClientInfo): boolean {
  return joinLeaveBy === 'user' && user !== '';
}

/** No channel name has a line break. */
function keyOf(channel: string, { user }: ClientInfo): string {
  return `${channel}\n${user}`;
}

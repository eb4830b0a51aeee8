import { Rejection, rejections } from '@tutti/protocol';
import type { Clock } from './clock.ts';
import { KeyedBuckets } from './keyed-buckets.ts';
import { TokenBucket, type Rate } from './token-bucket.ts';

/** What is counted together. */
export type CommandKind = 'publish' | 'subscribe' | 'read';
/** Why a command is refused; a label of the metrics. */
export type CommandLimit = CommandKind | 'user';

/** Commands a second; 0: any. */
export interface CommandRates {
  readonly publishRateMax: number;
  readonly subscribeRateMax: number;
  readonly readRateMax: number;
  readonly userCommandRateMax: number;
  /** A client that comes back subscribes to all of its channels in one frame (CON-4). */
  readonly subscriptionsMax: number;
}

/** Buckets of one connection: made with its first command of a kind. */
export type SessionBuckets = Partial<Record<CommandKind, TokenBucket>>;

const kinds: Readonly<Record<string, CommandKind>> = {
  ...{ publish: 'publish', rpc: 'publish', send: 'publish' },
  subscribe: 'subscribe',
  ...{ history: 'read', presence: 'read', presence_stats: 'read' },
};

/** Whose command it is. */
export interface Limited {
  readonly tenant: string;
  readonly user: string;
}

/**
 * Commands that one connection, and one user with all connections on this node, may send in a second
 * (S21). Who asks for more is refused with error 111, which is temporary, and told when to ask again; that is
 * for what a client should do seldom. The flood as such is the pace's, which reads later (`CommandPace`).
 */
export class CommandLimits {
  readonly #clock: Clock;
  readonly #rates: Readonly<Record<CommandKind, Rate | undefined>>;
  readonly #users: KeyedBuckets | undefined;

  private constructor(rates: CommandRates, clock: Clock) {
    this.#clock = clock;
    this.#rates = {
      publish: rateOf(rates.publishRateMax),
      subscribe: rateOf(rates.subscribeRateMax, rates.subscriptionsMax),
      read: rateOf(rates.readRateMax),
    };
    const users = rateOf(rates.userCommandRateMax, rates.subscriptionsMax);
    this.#users = users === undefined ? undefined : new KeyedBuckets(users);
  }

  /** Undefined: nothing is limited, and nothing is to be asked. */
  static of(rates: CommandRates, clock: Clock): CommandLimits | undefined {
    const { publishRateMax, subscribeRateMax, readRateMax, userCommandRateMax } = rates;
    const isLimited = publishRateMax + subscribeRateMax + readRateMax + userCommandRateMax > 0;
    return isLimited ? new CommandLimits(rates, clock) : undefined;
  }

  /** Which limit refuses this command, and when to ask again; undefined: none. `buckets` are the connection's. */
  refuse(method: string, who: Limited, buckets: SessionBuckets): { limit: CommandLimit; waitMs: number } | undefined {
    const kind = kinds[method];
    if (kind === undefined) return undefined;
    const nowMs = this.#clock.monotonic();
    const rate = this.#rates[kind];
    if (rate !== undefined) {
      const bucket = (buckets[kind] ??= new TokenBucket(rate, nowMs));
      const waitMs = bucket.take(rate, nowMs);
      if (waitMs > 0) return { limit: kind, waitMs };
    }
    // Those without a name are no one user.
    if (this.#users === undefined || who.user === '') return undefined;
    const waitMs = this.#users.take(`${who.tenant}\n${who.user}`, nowMs);
    return waitMs > 0 ? { limit: 'user', waitMs } : undefined;
  }
}

/** For the client. */
export function limitRejection(limit: CommandLimit, waitMs: number): Rejection {
  const whose = limit === 'user' ? 'commands of this user' : `${nouns[limit]} of this connection`;
  return new Rejection(rejections.tooManyRequests, `too many ${whose}: retry in ${waitMs} ms`);
}

const nouns: Readonly<Record<CommandKind, string>> = {
  publish: 'messages',
  subscribe: 'subscribes',
  read: 'reads of history and presence',
};

function rateOf(perSecond: number, burstMin = 0): Rate | undefined {
  return perSecond > 0 ? { perSecond, burst: Math.max(2 * perSecond, burstMin) } : undefined;
}

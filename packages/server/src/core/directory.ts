import {
  disconnects,
  isDisconnectCode,
  Rejection,
  rejections,
  unsubscribes,
  type DisconnectKind,
} from '@tutti/protocol';
import { channelWithin, tenantOf, wireName } from '../config/tenant.ts';
import { takeAway } from './ending-subscriptions.ts';
import { subscribeByServer, type ServerSubscription } from './server-subscribing.ts';
import type { Services } from './services.ts';
import type { Session } from './session.ts';
import { expiry } from './subscribing.ts';

/** Whose connections: all of a user of the tenant, or one by its client id. At least one of the two is given. */
export interface Whose {
  /** Absent or empty: none; only connections of no tenant are meant. */
  readonly tenant?: string;
  readonly user?: string;
  readonly client?: string;
}

/** A part of a long list, in the order of the keys. */
export interface PageQuery {
  /** The last key of the page before; empty for the first. */
  readonly after: string;
  readonly limit: number;
}

export interface Page<Item> {
  readonly items: readonly (readonly [key: string, item: Item])[];
  readonly hasMore: boolean;
}

export interface ConnectionFacts {
  readonly user: string;
  readonly transport: string;
  readonly codec: string;
  readonly subscriptions: number;
  /** Bytes that wait for the connection, here and on their way. */
  readonly lagBytes: number;
}

/** Who is connected to this node and to what, as the application sees and steers it. */
export class Directory {
  readonly #sessions: ReadonlyMap<string, Session>;
  readonly #services: Services;

  constructor(sessions: ReadonlyMap<string, Session>, services: Services) {
    this.#sessions = sessions;
    this.#services = services;
  }

  /** Ends connections, but for the clients in `except`; returns how many. Throws `Rejection` for a code that is none. */
  disconnect(whose: Whose, kind: DisconnectKind = disconnects.forceDisconnect, except: readonly string[] = []): number {
    // The session would be over, and its socket stay.
    if (!isDisconnectCode(kind.code)) throw new Rejection(rejections.badRequest, 'a code is from 3000 to 4999');
    const theirs = this.#openOf(whose).filter(({ id }) => !except.includes(id));
    for (const session of theirs) session.disconnect(kind);
    return theirs.length;
  }

  /** Ends subscriptions to a channel, named as in the tenant; returns how many. One not yet answered ends when it is. */
  unsubscribe(whose: Whose, name: string, kind: DisconnectKind = unsubscribes.server): number {
    const channel = channelWithin(whose.tenant ?? '', name);
    let count = 0;
    for (const session of this.#openOf(whose)) {
      const subscription = session.subscriptions.get(channel);
      if (subscription === undefined) continue;
      count += 1;
      takeAway(session, subscription, kind);
    }
    return count;
  }

  /**
   * Subscribes connections to a channel; resolves when all were answered. Those in it already stay as
   * they are. Throws what one of them was refused with; the others are subscribed all the same.
   */
  async subscribe(whose: Whose, name: string, wanted: ServerSubscription): Promise<void> {
    const target = this.#services.resolve(name, whose.tenant ?? '');
    const asked = this.#openOf(whose).map((session) => subscribeByServer(session, this.#services, target, wanted));
    for (const outcome of await Promise.allSettled(asked)) if (outcome.status === 'rejected') throw outcome.reason;
  }

  /** Moves the end of connections' credentials to another time; returns how many. Milliseconds since 1970. */
  refresh(whose: Whose, expiresAtMs: number, info?: Uint8Array): number {
    const theirs = this.#openOf(whose);
    for (const session of theirs) {
      session.renew({ ...session.identity, expiresAtMs, ...(info === undefined ? {} : { info }) });
      const isTold = session.isOpen && session.identity.fromHook?.isAlone !== true;
      if (isTold) session.send({ push: { refresh: expiry(this.#services, expiresAtMs) } });
    }
    return theirs.length;
  }

  /** Open connections of the tenant by client id. */
  connections(query: PageQuery, { tenant = '', user }: Pick<Whose, 'tenant' | 'user'> = {}): Page<ConnectionFacts> {
    const isAsked = (session: Session): boolean =>
      session.isOpen && session.tenant === tenant && (user === undefined || session.identity.user === user);
    const { items, hasMore } = pageOf(this.#sessions, query, (_, session) => isAsked(session));
    return { items: items.map(([id, session]) => [id, factsOf(session)] as const), hasMore };
  }

  /** The tenant's channels with a subscriber here, named as there, and how many. */
  channels({ after, limit }: PageQuery, isAsked: (name: string) => boolean, tenant = ''): Page<number> {
    const isTheirs = (channel: string): boolean => tenantOf(channel) === tenant && isAsked(wireName(channel));
    const query = { after: channelWithin(tenant, after), limit };
    const { items, hasMore } = pageOf(this.#services.hub.channels, query, isTheirs);
    const named = items.map(([channel, { live, behind }]) => [wireName(channel), live.size + behind.size] as const);
    return { items: named, hasMore };
  }

  /** Distinct users of open connections. */
  get users(): number {
    const users = new Set<string>();
    for (const session of this.#sessions.values())
      if (session.isOpen) users.add(`${session.tenant}\n${session.identity.user}`);
    return users.size;
  }

  #openOf({ tenant = '', user, client }: Whose): Session[] {
    const isTheirs = (session: Session): boolean =>
      session.isOpen && session.tenant === tenant && (user === undefined || session.identity.user === user);
    if (client === undefined) return user === undefined ? [] : [...this.#sessions.values()].filter(isTheirs);
    const session = this.#sessions.get(client);
    return session !== undefined && isTheirs(session) ? [session] : [];
  }
}

function factsOf({ identity, connection, subscriptions, lag }: Session): ConnectionFacts {
  return {
    user: identity.user,
    transport: connection.transport,
    codec: connection.codec.name,
    subscriptions: subscriptions.size,
    lagBytes: lag.bytes,
  };
}

/** One pass over the map, and never more than a few pages kept: there may be very many. */
function pageOf<Item>(
  all: ReadonlyMap<string, Item>,
  { after, limit }: PageQuery,
  isAsked: (key: string, item: Item) => boolean,
): Page<Item> {
  let found: [string, Item][] = [];
  for (const [key, item] of all) {
    if (key <= after || !isAsked(key, item)) continue;
    found.push([key, item]);
    if (found.length > 4 * (limit + 1)) found = smallest(found, limit + 1);
  }
  const kept = smallest(found, limit + 1);
  return { items: kept.slice(0, limit), hasMore: kept.length > limit };
}

function smallest<Item>(entries: [string, Item][], count: number): [string, Item][] {
  return entries.sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, count);
}

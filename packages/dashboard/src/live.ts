import { signal } from '@preact/signals';
import type { ReadonlySignal } from '@preact/signals';
import { Tutti } from '@tutti/client';
import type { ConnectionChange, PublishOptions, ReceivedPublication, Subscription } from '@tutti/client';

/**
 * Everything this page knows of the SDK: one connection, and channels that several parts of the
 * page share. A new identity is a new connection; the open channels move to it.
 */

export type Link =
  | { readonly phase: 'connecting' }
  | { readonly phase: 'connected'; readonly client: string }
  /** Between attempts. Milliseconds since 1970. */
  | { readonly phase: 'waiting'; readonly retryAtMs: number; readonly reason: string }
  /** No attempt will follow by itself. */
  | { readonly phase: 'stopped'; readonly reason: string };

export interface Position {
  readonly offset: number;
  readonly epoch: string;
}

export interface LivePublication {
  readonly data: unknown;
  readonly offset?: number;
  readonly epoch?: string;
  readonly timeMs?: number;
  readonly key?: string;
  /** Absent where an application published through the server, not a connection. */
  readonly user?: string;
}

/** One connection in a channel. */
export interface Member {
  readonly client: string;
  readonly user: string;
}

export interface ChannelEvents {
  publication?(publication: LivePublication): void;
  joined?(member: Member): void;
  left?(member: Member): void;
  /** The subscription stands, again after each interruption. `recovered`: nothing was missed. */
  live?(recovered: boolean): void;
  /** Publications were missed for good: what is shown has a hole. */
  gap?(): void;
  /** The server will not have this subscription. */
  refused?(reason: string): void;
}

export interface HistoryPage {
  readonly publications: readonly LivePublication[];
  readonly epoch: string;
}

export interface ChannelHandle {
  /** Waits for a connection where there is none. Undefined where the channel keeps no positions. */
  publish(data: unknown, options?: { readonly idempotencyKey?: string }): Promise<Position | undefined>;
  history(query: {
    readonly limit: number;
    readonly since?: Position;
    readonly reverse?: boolean;
  }): Promise<HistoryPage>;
  presence(): Promise<readonly Member[]>;
  close(): void;
}

/** How long a publish waits for the connection: longer than anybody looks at a page. */
const publishTimeoutMs = 12 * 60 * 60_000;
/** A person watches: the next attempt is never far. */
const reconnectMaxMs = 5000;

type ActivityListener = (channel: string, publication: LivePublication) => void;

interface SharedChannel {
  readonly listeners: Set<ChannelEvents>;
  subscription: Subscription | undefined;
  isLive: boolean;
}

const linkSignal = signal<Link>({ phase: 'connecting' });
export const link: ReadonlySignal<Link> = linkSignal;

const channels = new Map<string, SharedChannel>();
const activityListeners = new Set<ActivityListener>();
let tutti: Tutti | undefined;

/** Connects under this name, or with this token; where there is a connection under another, in its place. */
export function connectAs(user: string, token?: string): void {
  tutti?.close();
  const shown = token === undefined ? {} : { token };
  const next = new Tutti(endpoint(), { data: { user }, ...shown, name: 'tutti-dashboard', reconnectMaxMs });
  tutti = next;
  linkSignal.value = { phase: 'connecting' };
  next.on('state', (change) => {
    if (next === tutti) linkSignal.value = linkOf(change, next);
  });
  // Told where they matter: a refused subscription to its listeners, a failed request to who asked.
  next.on('error', () => undefined);
  for (const [name, shared] of channels) follow(next, name, shared);
}

/** Does not wait for the end of the back-off. */
export function reconnectNow(): void {
  tutti?.connect();
}

/**
 * Follows a channel, together with whoever follows it already; without `events` only asks and
 * publishes. A follower who comes later is told `live` at once.
 */
export function openChannel(name: string, events: ChannelEvents | undefined): ChannelHandle {
  if (events !== undefined) join(name, events);
  return {
    async publish(data, options = {}) {
      const settings: PublishOptions = { ...options, timeoutMs: publishTimeoutMs };
      const { offset, epoch } = await (followed(name)?.publish(data, settings) ??
        connected().publish(name, data, settings));
      return offset === undefined ? undefined : { offset, epoch: epoch ?? '' };
    },
    async history(query) {
      const page = await (followed(name)?.history(query) ?? connected().history(name, query));
      return { publications: page.publications.map(toLive), epoch: page.epoch };
    },
    async presence() {
      const members = await (followed(name)?.presence() ?? connected().presence(name));
      return Object.entries(members).map(([client, info]) => ({ client, user: info.user }));
    },
    close() {
      if (events !== undefined) leave(name, events);
    },
  };
}

/** Calls back for each publication that reaches the page, on whatever channel. Returns the function that stops it. */
export function onActivity(listener: ActivityListener): () => void {
  activityListeners.add(listener);
  return () => activityListeners.delete(listener);
}

/** 128 random bits; unlike `randomUUID`, also on pages that are not a secure context. */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function join(name: string, events: ChannelEvents): void {
  const known = channels.get(name);
  const shared = known ?? { listeners: new Set<ChannelEvents>(), subscription: undefined, isLive: false };
  shared.listeners.add(events);
  if (known === undefined) {
    channels.set(name, shared);
    if (tutti !== undefined) follow(tutti, name, shared);
  } else if (shared.isLive) {
    queueMicrotask(() => {
      if (shared.listeners.has(events) && shared.isLive) events.live?.(false);
    });
  }
}

function leave(name: string, events: ChannelEvents): void {
  const shared = channels.get(name);
  if (shared === undefined || !shared.listeners.delete(events) || shared.listeners.size > 0) return;
  // The next page may want it in this very turn: then the subscription goes on, and nothing is missed.
  setTimeout(() => {
    if (shared.listeners.size > 0 || channels.get(name) !== shared) return;
    channels.delete(name);
    shared.subscription?.unsubscribe();
  });
}

function follow(client: Tutti, name: string, shared: SharedChannel): void {
  const tell = (call: (events: ChannelEvents) => void) => {
    if (shared.subscription !== subscription) return;
    for (const events of [...shared.listeners]) call(events);
  };
  const subscription = client.subscribe(name);
  shared.subscription = subscription;
  shared.isLive = false;
  subscription.on('state', ({ to }) => {
    if (shared.subscription === subscription) shared.isLive = to === 'subscribed';
  });
  subscription.on('subscribed', ({ recovered }) => tell((events) => events.live?.(recovered)));
  subscription.on('gap', () => tell((events) => events.gap?.()));
  subscription.on('unsubscribed', ({ code, reason }) => {
    // Below 100 it was this page that ended it.
    if (code >= 100) tell((events) => events.refused?.(reason));
  });
  subscription.on('join', ({ info }) => tell((events) => events.joined?.({ client: info.client, user: info.user })));
  subscription.on('leave', ({ info }) => tell((events) => events.left?.({ client: info.client, user: info.user })));
  subscription.on('error', () => undefined);
  subscription.on('publication', (received) => {
    const publication = toLive(received);
    tell((events) => events.publication?.(publication));
    for (const listener of activityListeners) listener(name, publication);
  });
}

/** Asked through its subscription a request waits for it, as servers may answer subscribers only. */
function followed(name: string): Subscription | undefined {
  return channels.get(name)?.subscription;
}

function connected(): Tutti {
  if (tutti === undefined) throw new Error('not connected yet');
  return tutti;
}

function toLive({ data, offset, epoch, time, key, info }: ReceivedPublication): LivePublication {
  return {
    data,
    ...(offset !== undefined && { offset }),
    ...(epoch !== undefined && { epoch }),
    ...(time !== undefined && { timeMs: time }),
    ...(key !== undefined && { key }),
    ...(info !== undefined && { user: info.user }),
  };
}

function linkOf(change: ConnectionChange, client: Tutti): Link {
  switch (change.to) {
    case 'connected':
      return { phase: 'connected', client: client.client ?? '' };
    case 'connecting':
      return { phase: 'connecting' };
    case 'waiting':
      return { phase: 'waiting', retryAtMs: Date.now() + (change.retryMs ?? 0), reason: change.reason };
    case 'disconnected':
    case 'closed':
      return { phase: 'stopped', reason: change.reason };
  }
}

function endpoint(): string {
  const url = new URL('/connection/websocket', location.href);
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}

import { Tutti, type Subscription, type SubscriptionEvents, type SubscriptionOptions } from '@tutti/client';
import type { TuttiEvents, TuttiOptions } from '@tutti/client';
import { protobuf } from '@tutti/client/protobuf';
import type { TokenDraft } from '@tutti/server/auth';
import { EventLog } from './event-log.ts';
import type { TestTokens } from './test-settings.ts';

export interface ConnectClientOptions extends Omit<TuttiOptions, 'codec'> {
  readonly user: string;
  /** More of the token that is minted, unless `token` or `getToken` is given. */
  readonly claims?: Omit<TokenDraft, 'user'>;
  readonly codec?: 'json' | 'protobuf';
  /** Elsewhere than the node, such as a fault proxy before it. */
  readonly url?: string;
}

export interface Followed<T> {
  readonly subscription: Subscription<T>;
  readonly events: EventLog<SubscriptionEvents<T>>;
}

/** Our own SDK, connected, with its events collected. */
export interface ConnectedClient {
  readonly tutti: Tutti;
  readonly events: EventLog<TuttiEvents>;
  /** Subscribes, and collects from the first event on. Resolves once subscribed. */
  follow<T = unknown>(channel: string, options?: SubscriptionOptions): Promise<Followed<T>>;
  close(): void;
}

const clientEvents = [
  'state',
  'connected',
  'message',
  'subscribed',
  'unsubscribed',
  'publication',
  'join',
  'leave',
  'gap',
  'error',
] as const satisfies (keyof TuttiEvents)[];

const subscriptionEvents = [
  'state',
  'subscribed',
  'unsubscribed',
  'publication',
  'join',
  'leave',
  'gap',
  'error',
] as const satisfies (keyof SubscriptionEvents<unknown>)[];

/** Rejects where the node does not take the client; nothing is left open then. */
export async function connectClient(
  node: TestTokens & { readonly wsUrl: string },
  options: ConnectClientOptions,
): Promise<ConnectedClient> {
  const { user, claims, codec = 'json', url = node.wsUrl, ...rest } = options;
  const needsToken = rest.token === undefined && rest.getToken === undefined;
  const tutti = new Tutti(url, {
    // A test waits for what comes next, not for the back-off of a busy world.
    reconnectMinMs: 20,
    reconnectMaxMs: 200,
    // A test says which way it goes, also where it cuts that.
    transports: ['websocket'],
    ...(needsToken ? { token: await node.token({ ...claims, user }) } : {}),
    ...(codec === 'protobuf' ? { codec: protobuf() } : {}),
    ...rest,
  });
  const events = new EventLog<TuttiEvents>();
  for (const name of clientEvents) tutti.on(name, (event) => events.add(name, event));
  try {
    await tutti.ready();
  } catch (error) {
    tutti.close();
    throw error;
  }
  return { tutti, events, follow: (channel, extras) => follow(tutti, channel, extras), close: () => tutti.close() };
}

async function follow<T>(tutti: Tutti, channel: string, options: SubscriptionOptions = {}): Promise<Followed<T>> {
  const subscription = tutti.subscribe<T>(channel, options);
  const events = new EventLog<SubscriptionEvents<T>>();
  for (const name of subscriptionEvents) subscription.on(name, (event) => events.add(name, event));
  if (subscription.state !== 'subscribed') await events.count('subscribed', 1);
  return { subscription, events };
}

import { describe } from 'node:test';
import {
  Centrifuge as JsonCentrifuge,
  type ClientEvents,
  type Options,
  type Subscription,
  type SubscriptionEvents,
  type SubscriptionOptions,
  type TransportEndpoint,
} from 'centrifuge';
import { Centrifuge as ProtobufCentrifuge } from 'centrifuge/build/protobuf';
import { EventLog, type TestTokens } from '@tutti/testkit';
import type { TokenDraft } from '@tutti/server/auth';

/** The contexts of the SDK's events by name. */
export type ContextsOf<Events> = {
  [Name in keyof Events]: Events[Name] extends (context: infer Context) => void ? Context : never;
};
export type ClientLog = EventLog<ContextsOf<ClientEvents>>;
export type SubscriptionLog = EventLog<ContextsOf<SubscriptionEvents>>;

/** Of `startNode` or `spawnNode`. */
export type TestNode = TestTokens & { readonly wsUrl: string };

export interface SdkOptions extends Partial<Options> {
  readonly user?: string;
  /** More of the token that is minted for `user`. */
  readonly claims?: Omit<TokenDraft, 'user'>;
  /** Elsewhere than the node. */
  readonly url?: string | TransportEndpoint[];
}

/** The SDK in one of its two forms; payloads are JSON values to the test in both. */
export interface SdkCodec {
  readonly name: 'json' | 'protobuf';
  /** What the SDK takes as a payload. */
  pack(value: unknown): unknown;
  /** What the SDK gives as a payload, as a value again. */
  unpack(data: unknown): unknown;
  create(url: string | TransportEndpoint[], options: Partial<Options>): JsonCentrifuge;
}

export const jsonSdk: SdkCodec = {
  name: 'json',
  pack: (value) => value,
  unpack: (data) => data,
  create: (url, options) => new JsonCentrifuge(url, options),
};

export const protobufSdk: SdkCodec = {
  name: 'protobuf',
  pack: (value) => new TextEncoder().encode(JSON.stringify(value)),
  unpack: (data) => JSON.parse(new TextDecoder().decode(data as Uint8Array)) as unknown,
  // Two copies of one class: the types are the same but for their private members.
  create: (url, options) => new ProtobufCentrifuge(url, options) as unknown as JsonCentrifuge,
};

/** Runs the same tests with the SDK in JSON and in Protobuf, side by side. */
export function withBothCodecs(topic: string, tests: (codec: SdkCodec) => void): void {
  describe(topic, { concurrency: true }, () => {
    for (const codec of [jsonSdk, protobufSdk]) describe(codec.name, { concurrency: true }, () => tests(codec));
  });
}

/** What a test opened, so that it can be closed whatever becomes of the test. */
export interface Cleanup {
  after(end: () => void | Promise<void>): void;
}

const clientEvents = [
  'state',
  'connecting',
  'connected',
  'disconnected',
  'message',
  'error',
  'subscribed',
  'subscribing',
  'unsubscribed',
  'publication',
  'join',
  'leave',
] as const satisfies (keyof ClientEvents)[];

const subscriptionEvents = [
  'state',
  'subscribing',
  'subscribed',
  'unsubscribed',
  'publication',
  'join',
  'leave',
  'error',
] as const satisfies (keyof SubscriptionEvents)[];

/** The official SDK with its events collected. */
export class Sdk {
  readonly centrifuge: JsonCentrifuge;
  readonly events: ClientLog = new EventLog();
  readonly codec: SdkCodec;

  constructor(codec: SdkCodec, url: string | TransportEndpoint[], options: Partial<Options>) {
    this.codec = codec;
    this.centrifuge = codec.create(url, options);
    for (const name of clientEvents) {
      this.centrifuge.on(name, (context: unknown) => this.events.add(name, context as never));
    }
  }

  /** Subscribes, and collects from the first event on. Does not wait. */
  subscription(channel: string, options: Partial<SubscriptionOptions> = {}): SdkSubscription {
    const subscription = this.centrifuge.newSubscription(channel, {
      minResubscribeDelay: 10,
      maxResubscribeDelay: 50,
      ...options,
    });
    const followed = new SdkSubscription(this, subscription);
    subscription.subscribe();
    return followed;
  }

  /** Resolves once subscribed. */
  async follow(channel: string, options: Partial<SubscriptionOptions> = {}): Promise<SdkSubscription> {
    const followed = this.subscription(channel, options);
    await followed.events.next('subscribed');
    return followed;
  }

  publish(channel: string, value: unknown): Promise<unknown> {
    return this.centrifuge.publish(channel, this.codec.pack(value));
  }

  values(publications: readonly { data: unknown }[]): unknown[] {
    return publications.map(({ data }) => this.codec.unpack(data));
  }
}

export class SdkSubscription {
  readonly events: SubscriptionLog = new EventLog();
  readonly subscription: Subscription;
  readonly #sdk: Sdk;

  constructor(sdk: Sdk, subscription: Subscription) {
    this.#sdk = sdk;
    this.subscription = subscription;
    for (const name of subscriptionEvents) {
      subscription.on(name, (context: unknown) => this.events.add(name, context as never));
    }
  }

  /** Offsets and payloads of all publications, once there are `count`. */
  async publications(count: number): Promise<{ offset: number | undefined; value: unknown }[]> {
    const seen = await this.events.count('publication', count);
    return seen.map(({ offset, data }) => ({ offset, value: this.#sdk.codec.unpack(data) }));
  }
}

/** An SDK that is not connected yet. It is closed when the test ends. */
export async function sdkFor(t: Cleanup, codec: SdkCodec, node: TestNode, options: SdkOptions = {}): Promise<Sdk> {
  const { user, claims, url = node.wsUrl, ...rest } = options;
  const sdk = new Sdk(codec, url, {
    minReconnectDelay: 10,
    maxReconnectDelay: 50,
    ...(user === undefined ? {} : { token: await node.token({ ...claims, user }) }),
    ...rest,
  });
  t.after(() => sdk.centrifuge.disconnect());
  return sdk;
}

export async function connectSdk(t: Cleanup, codec: SdkCodec, node: TestNode, options: SdkOptions): Promise<Sdk> {
  const sdk = await sdkFor(t, codec, node, options);
  sdk.centrifuge.connect();
  await sdk.events.next('connected');
  return sdk;
}

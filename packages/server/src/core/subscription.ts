import type { DisconnectKind } from '@tutti/protocol';
import type { SubscriptionGrant } from '../auth/authenticator.ts';
import { wireName } from '../config/tenant.ts';
import type { Channel, Recipient } from './channel.ts';

/**
 * One session's place in one channel.
 *
 * - `joining`: asked for, not yet answered; the channel keeps its tail for it.
 * - `behind`: answered, and reading the log until it meets the channel's top.
 * - `live`: at the channel's top; gets every publication from the fan-out, so it needs no position of its own.
 * - `ended`: not to be touched any more.
 */
export type SubscriptionState = 'joining' | 'behind' | 'live' | 'ended';

/** A session, as its subscriptions see it. */
export interface Subscriber {
  readonly id: string;
  /** Little enough waits for the connection that a page of the log may be read for it. */
  readonly hasRoom: boolean;
  deliver: Recipient['session']['deliver'];
  /** Ends one subscription, and tells the client; the code says whether it is to come back. */
  endSubscription(subscription: Subscription, kind: DisconnectKind): void;
}

export type SubscriptionSource = 'client' | 'token' | 'server';

export type SubscribedChannel = Channel<Subscription>;

export class Subscription {
  readonly session: Subscriber;
  /** With its tenant. */
  readonly channelName: string;
  /** `client`: asked for. `token`: named by the connection token. `server`: given by the application, or personal. */
  readonly source: SubscriptionSource;
  state: SubscriptionState = 'joining';
  /** Set when the channel is being opened on this node. */
  channel: SubscribedChannel | undefined;
  /** Offset of the last publication sent; kept only while `behind`. */
  offset = 0;
  /** The channel keeps its tail for it: see `Channel.holdTail`. */
  holdsTail = false;
  /** Milliseconds since 1970 when the grant ends; 0: never. */
  expiresAtMs = 0;
  /** Granted by a hook: the node itself asks for a refresh, and not the client. */
  byHook = false;
  /** Milliseconds between updates that the client asked for; 0: none. */
  intervalMs = 0;
  /** What a subscription token said. */
  grant: SubscriptionGrant | undefined;
  /** It is to end with this as soon as it has been answered. */
  endsWith: DisconnectKind | undefined;
  /** Shown to others as `chan_info`. */
  info: Uint8Array | undefined;

  constructor(session: Subscriber, channelName: string, source: SubscriptionSource) {
    this.session = session;
    this.channelName = channelName;
    this.source = source;
  }

  /** Given by the server (connect.subs), not asked for by the client. */
  get serverSide(): boolean {
    return this.source !== 'client';
  }

  /** What the client calls the channel. */
  get wireName(): string {
    return wireName(this.channelName);
  }
}

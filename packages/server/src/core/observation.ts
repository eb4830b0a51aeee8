import type { Position } from '@tutti/protocol';
import type { PublicationDraft } from '../broker/broker.ts';
import type { Ending, NodeObserver, SessionEnding, SessionFacts } from '../observer/node-observer.ts';
import type { Identity } from '../auth/authenticator.ts';
import type { Connection } from '../transport/transport.ts';
import type { Subscription } from './subscription.ts';

/** A session, as it is told of. */
export interface Observable {
  readonly id: string;
  readonly identity: Identity;
  readonly connection: Pick<Connection, 'transport' | 'codec' | 'remoteAddress'>;
  readonly subscriptions: ReadonlyMap<string, Subscription>;
  readonly lag: { readonly bytes: number };
}

/**
 * Tells observers what happens, in the order that `NodeObserver` promises. A node that nobody
 * observes has none, and keeps none of this state.
 */
export class Observation {
  readonly #observers: readonly NodeObserver[];
  readonly #bug: (error: unknown) => void;
  /** Sessions of which `connected` was told. */
  readonly #told = new Set<Observable>();
  /** Told subscribers by channel. */
  readonly #subscribers = new Map<string, number>();

  constructor(observers: readonly NodeObserver[], bug: (error: unknown) => void) {
    this.#observers = observers;
    this.#bug = bug;
  }

  /** The session is open; what the server subscribed it to with the connect follows. */
  opened(session: Observable): void {
    this.#told.add(session);
    const facts = factsOf(session);
    this.#tell((observer) => observer.connected?.(facts));
    for (const subscription of session.subscriptions.values()) {
      if (subscription.state !== 'joining') this.subscribed(session, subscription);
    }
  }

  /** Of no effect before the session is open: `opened` tells those. */
  subscribed(session: Observable, { channelName }: Subscription): void {
    if (!this.#told.has(session)) return;
    const count = this.#subscribers.get(channelName) ?? 0;
    this.#subscribers.set(channelName, count + 1);
    if (count === 0) this.#tell((observer) => observer.occupied?.(channelName));
    const facts = factsOf(session);
    this.#tell((observer) => observer.subscribed?.(facts, channelName));
  }

  /** To be called before its state changes: one that was still joining was never told of. */
  unsubscribed(session: Observable, { channelName, state }: Subscription, { code, reason }: Ending): void {
    if (state === 'joining' || !this.#told.has(session)) return;
    const facts = factsOf(session);
    this.#tell((observer) => observer.unsubscribed?.(facts, channelName, { code, reason }));
    const count = (this.#subscribers.get(channelName) ?? 0) - 1;
    if (count > 0) {
      this.#subscribers.set(channelName, count);
      return;
    }
    this.#subscribers.delete(channelName);
    this.#tell((observer) => observer.vacated?.(channelName));
  }

  /** After its subscriptions have ended; `lagBytes` as it was before that. */
  ended(session: Observable, { code, reason, byPeer }: SessionEnding, lagBytes: number): void {
    if (!this.#told.delete(session)) return;
    const facts = { ...factsOf(session), lagBytes };
    this.#tell((observer) => observer.disconnected?.(facts, { code, reason, byPeer }));
  }

  observesPublished(namespace: string): boolean {
    return this.#observers.some((observer) => observer.observesPublished?.(namespace) === true);
  }

  published(namespace: string, channel: string, draft: PublicationDraft, position: Position | undefined): void {
    this.#tell((observer) => {
      if (observer.observesPublished?.(namespace) === true) observer.published?.(channel, draft, position);
    });
  }

  /** One observer's mistake is not the session's, nor the other observers'. */
  #tell(call: (observer: NodeObserver) => void): void {
    for (const observer of this.#observers) {
      try {
        call(observer);
      } catch (error) {
        this.#bug(error);
      }
    }
  }
}

function factsOf({ id, identity: { user, tenant, info }, connection, lag }: Observable): SessionFacts {
  return {
    client: id,
    user,
    ...(tenant === undefined ? {} : { tenant }),
    transport: connection.transport,
    codec: connection.codec.name,
    remoteAddress: connection.remoteAddress,
    ...(info === undefined ? {} : { info }),
    lagBytes: lag.bytes,
  };
}

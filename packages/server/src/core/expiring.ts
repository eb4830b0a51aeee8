import { disconnects, unsubscribes, type DisconnectKind } from '@tutti/protocol';
import type { Identity } from '../auth/authenticator.ts';
import type { Services } from './services.ts';
import type { Subscriber, Subscription } from './subscription.ts';

/** A session, as far as it can run out. */
export interface Expiring extends Subscriber {
  readonly identity: Identity;
  readonly subscriptions: ReadonlyMap<string, Subscription>;
  disconnect(kind: DisconnectKind): void;
}

/** Ends what has run out of an open session, or the session (CON-5). Milliseconds until the next expiry. */
export function endExpired(session: Expiring, { clock, limits }: Pick<Services, 'clock' | 'limits'>): number {
  const now = clock.now();
  const grace = limits.tokenGraceMs;
  const connectionLeft = (session.identity.expiresAtMs ?? Infinity) + grace - now;
  if (connectionLeft <= 0) {
    session.disconnect(disconnects.connectionExpired);
    return Infinity;
  }
  let next = connectionLeft;
  for (const subscription of [...session.subscriptions.values()]) {
    // One that is still joining ends when it is answered: a client does not understand an end before that.
    if (subscription.expiresAtMs === 0 || subscription.state === 'joining') continue;
    const left = subscription.expiresAtMs + grace - now;
    if (left <= 0) session.endSubscription(subscription, unsubscribes.expired);
    else next = Math.min(next, left);
  }
  return next;
}

import { unsubscribes, type DisconnectKind } from '@tutti/protocol';
import type { Services } from './services.ts';
import type { Session } from './session.ts';
import type { Subscription } from './subscription.ts';

/**
 * Ends one subscription because the application, or changed rights, want it; the connection goes on where that
 * is possible. One that is still joining ends as soon as it is answered: before that a client does not
 * understand an end, and forgetting it would leave it subscribed.
 */
export function takeAway(session: Session, subscription: Subscription, kind: DisconnectKind): void {
  if (subscription.state === 'joining') {
    subscription.endsWith = kind;
    return;
  }
  if (!subscription.serverSide || kind.code >= unsubscribes.insufficientState.code) {
    session.endSubscription(subscription, kind);
    return;
  }
  // A client cannot ask for it again, so it is told, and the connection goes on.
  session.dropSubscription(subscription, kind);
  const unsubscribe = { code: kind.code, reason: kind.reason };
  session.send({ push: { channel: subscription.wireName, unsubscribe } });
}

/** To be called when a subscription has been answered: ends what was to end meanwhile, brings up what is behind. */
export function answered(session: Session, subscription: Subscription): void {
  if (subscription.endsWith !== undefined) {
    takeAway(session, subscription, subscription.endsWith);
    return;
  }
  if (subscription.expiresAtMs > 0) session.expiryChanged();
  session.catchUp(subscription);
}

/**
 * After its credentials changed: ends what they do not open any more (S10). A subscription token goes on
 * opening its channel, and what the application subscribed stays. Never rejects.
 */
export async function recheckSubscriptions(session: Session, services: Services): Promise<void> {
  for (const subscription of [...session.subscriptions.values()]) {
    const kind = await endingOf(session, services, subscription);
    if (kind !== undefined && session.isOpen && subscription.state !== 'ended') takeAway(session, subscription, kind);
  }
}

async function endingOf(
  session: Session,
  services: Services,
  subscription: Subscription,
): Promise<DisconnectKind | undefined> {
  const { identity } = session;
  const { wireName: name, source, grant } = subscription;
  if (source === 'token') return identity.channels.includes(name) ? undefined : unsubscribes.server;
  if (source === 'server') return undefined;
  try {
    const { namespace } = session.resolve(name);
    const question = { verb: 'subscribe', identity, channel: name, namespace, subscribed: false } as const;
    await services.authorizer.authorize(grant === undefined ? question : { ...question, grant });
    return undefined;
  } catch {
    // Denied, or nobody could say: the client asks again, and is then told which.
    return unsubscribes.stateInvalidated;
  }
}

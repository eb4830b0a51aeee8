import { Disconnect, disconnects, Rejection, rejections, unsubscribes } from '@tutti/protocol';
import type { Identity, SubscriptionGrant } from '../../auth/authenticator.ts';
import type { Target } from '../services.ts';
import { renewed } from '../hook-identity.ts';
import type { Call } from '../session.ts';
import { recheckSubscriptions } from '../ending-subscriptions.ts';
import { clientExpiry, expiry } from '../subscribing.ts';
import { judged } from '../token-failures.ts';

/** New credentials for a living connection. */
export async function refresh(call: Call): Promise<void> {
  const { session, services } = call;
  const token = call.command.refresh?.token ?? '';
  if (token === '') throw new Disconnect(disconnects.badRequest, 'refresh without a token');
  let identity: Identity;
  try {
    identity = await judged('refresh', token, session, services, () =>
      services.authenticator.refresh(token, session.identity),
    );
    services.revocations.mustStand(identity);
  } catch (error) {
    // SDKs take error 109 for the last word here, but come back from 3005 with a token that is new.
    if (isExpired(error)) throw new Disconnect(disconnects.connectionExpired, 'the new token has expired itself');
    throw error;
  }
  if (!session.isOpen) return;
  session.identify(renewed(identity, session.identity));
  session.expiryChanged();
  await recheckSubscriptions(session, services);
  // SDKs take over the client id they read here, so it must be the session's own.
  const { version } = services.node;
  call.reply({ refresh: { client: session.id, version, ...expiry(services, identity.expiresAtMs) } });
}

/** A new token, or another interval, for a living subscription; either may stand alone. */
export async function subRefresh(call: Call): Promise<void> {
  const { session, services } = call;
  const request = call.command.sub_refresh ?? {};
  const { channel, name } = session.resolve(request.channel);
  const { token = '', interval } = request;
  if (token === '' && interval === undefined) throw new Rejection(rejections.badRequest, 'sub_refresh without a token');
  const grant = token === '' ? undefined : await grantOf(call, token, { channel, name });
  const subscription = session.subscriptions.get(channel);
  if (subscription === undefined) throw new Rejection(rejections.permissionDenied, 'not subscribed to the channel');
  if (grant !== undefined) {
    subscription.expiresAtMs = grant.expiresAtMs ?? 0;
    subscription.info = grant.info;
    subscription.grant = grant;
    subscription.byHook = false;
    session.expiryChanged();
  }
  const kept = interval === undefined ? {} : { interval: session.setInterval(subscription, interval) };
  call.reply({ sub_refresh: { ...clientExpiry(services, subscription), ...kept } });
}

async function grantOf(
  { session, services }: Call,
  token: string,
  { channel, name }: Pick<Target, 'channel' | 'name'>,
): Promise<SubscriptionGrant> {
  try {
    const grant = await judged('subscribe', token, session, services, () =>
      services.authenticator.subscription(token, session.identity, name),
    );
    services.revocations.mustStandFor(session.identity, grant);
    return grant;
  } catch (error) {
    // As above: SDKs give up at error 109, and come back from 2501.
    const running = session.subscriptions.get(channel);
    if (isExpired(error) && running !== undefined) session.endSubscription(running, unsubscribes.expired);
    throw error;
  }
}

function isExpired(error: unknown): boolean {
  return error instanceof Rejection && error.kind === rejections.tokenExpired;
}

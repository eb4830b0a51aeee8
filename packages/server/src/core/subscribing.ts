import { Rejection, rejections, type SubscribeRequest, type SubscribeResult } from '@tutti/protocol';
import type { HistoryPage } from '../broker/broker.ts';
import type { Namespace } from '../config/namespace.ts';
import { fixedLimits } from './limits.ts';
import type { Services, Target } from './services.ts';
import type { Session } from './session.ts';
import { Subscription } from './subscription.ts';

/** Seconds. Later expiries are told as this: clients count in 32 bits, and timers hardly further. */
const ttlMax = 2 ** 31 - 1;

/** A subscription that has joined its channel and waits to be answered. */
export interface Prepared {
  readonly subscription: Subscription;
  readonly request: SubscribeRequest;
  readonly page: HistoryPage | undefined;
}

/**
 * First half of subscribing: joins the bus, reads what was missed. Nothing is delivered yet.
 * On any error the place is given up again. Throws `Rejection`, or what the broker throws.
 */
export async function prepareSubscription(
  session: Session,
  services: Services,
  target: Target,
  request: SubscribeRequest,
  serverSide: boolean,
): Promise<Prepared> {
  const subscription = new Subscription(session, target.channel, serverSide);
  subscription.intervalMs = Math.min(request.interval ?? 0, fixedLimits.intervalMaxMs);
  session.subscriptions.set(target.channel, subscription);
  try {
    mustCarry(session, target.namespace);
    if (!serverSide) await permit(session, services, target, request, subscription);
    // The session ended while others were asked: joining now would leave a subscription that nobody ends.
    if (hasEnded(subscription)) throw new Rejection(rejections.notAvailable, 'the connection ended');
    const channel = await services.hub.join(subscription, target.namespace);
    const page = await services.recovery.firstPage(channel, request);
    return { subscription, request, page };
  } catch (error) {
    session.dropSubscription(subscription);
    throw error;
  }
}

/**
 * Second half, in one turn with sending the answer: from here on the subscription is delivered to.
 * Undefined where the session, or the place, ended meanwhile. Throws `Rejection`.
 */
export function activateSubscription(
  services: Services,
  session: Session,
  prepared: Prepared,
): SubscribeResult | undefined {
  const { subscription, request, page } = prepared;
  if (subscription.state !== 'joining') return undefined;
  try {
    const result = services.recovery.activate(subscription, request, page);
    if (session.isMemberOf(subscription)) {
      services.joinPresence(subscription.channelName, session.clientInfo(subscription));
    }
    services.observation?.subscribed(session, subscription);
    if (subscription.intervalMs > 0) result.interval = subscription.intervalMs;
    return { ...result, ...expiry(services, subscription.expiresAtMs) };
  } catch (error) {
    session.dropSubscription(subscription);
    throw error;
  }
}

/** Bytes that are no JSON would break out of a JSON frame. Throws `Rejection` notAvailable. */
export function mustCarry(session: Session, namespace: Namespace): void {
  if (namespace.payload === 'binary' && session.connection.codec.name === 'json') {
    throw new Rejection(rejections.notAvailable, 'the channel carries binary payloads: connect with Protobuf');
  }
}

/** `expires` and `ttl` (whole seconds, at least one) as results carry them. */
export function expiry(services: Services, expiresAtMs: number | undefined): { expires?: true; ttl?: number } {
  if (expiresAtMs === undefined || expiresAtMs === 0) return {};
  return { expires: true, ttl: Math.min(ttlMax, Math.max(1, Math.ceil((expiresAtMs - services.clock.now()) / 1_000))) };
}

/** A function, because the state changes under an `await`, which the compiler does not see. */
function hasEnded(subscription: Subscription): boolean {
  return subscription.state === 'ended';
}

async function permit(
  session: Session,
  services: Services,
  { name, namespace }: Target,
  request: SubscribeRequest,
  subscription: Subscription,
): Promise<void> {
  if ((request.type ?? 0) !== 0)
    throw new Rejection(rejections.notAvailable, 'only stream subscriptions are available');
  // Whoever asks for a part must not be given everything.
  if (request.tf !== undefined) throw new Rejection(rejections.notAvailable, 'filters by tags are not available');
  const { identity } = session;
  const token = request.token ?? '';
  const grant = token === '' ? undefined : await services.authenticator.subscription(token, identity, name);
  const question = { verb: 'subscribe', identity, channel: name, namespace, subscribed: false } as const;
  await services.authorizer.authorize(grant === undefined ? question : { ...question, grant });
  subscription.expiresAtMs = grant?.expiresAtMs ?? 0;
  subscription.info = grant?.info;
}

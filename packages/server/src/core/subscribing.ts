import { Rejection, rejections, type SubscribeRequest, type SubscribeResult } from '@tutti/protocol';
import type { HistoryPage } from '../broker/broker.ts';
import type { Namespace } from '../config/namespace.ts';
import type { SubscribeGrant } from '../hooks/hooks.ts';
import { ask } from './asking.ts';
import { fixedLimits } from './limits.ts';
import type { Services, Target } from './services.ts';
import type { Session } from './session.ts';
import { Subscription, type SubscriptionSource } from './subscription.ts';
import { judged } from './token-failures.ts';

/** Seconds. Later expiries are told as this: clients count in 32 bits, and timers hardly further. */
const ttlMax = 2 ** 31 - 1;

/** A subscription that has joined its channel and waits to be answered. */
export interface Prepared {
  readonly subscription: Subscription;
  readonly request: SubscribeRequest;
  readonly page: HistoryPage | undefined;
  /** Of the application, for the client with its answer. */
  readonly data: Uint8Array | undefined;
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
  source: SubscriptionSource,
): Promise<Prepared> {
  const subscription = new Subscription(session, target.channel, source);
  subscription.intervalMs = Math.min(request.interval ?? 0, fixedLimits.intervalMaxMs);
  session.subscriptions.set(target.channel, subscription);
  try {
    mustCarry(session, target.namespace);
    const data = source === 'client' ? await permit(session, services, target, request, subscription) : undefined;
    // The session ended while others were asked: joining now would leave a subscription that nobody ends.
    if (hasEnded(subscription)) throw new Rejection(rejections.notAvailable, 'the connection ended');
    const channel = await services.hub.join(subscription, target.namespace);
    const page = await services.recovery.firstPage(channel, request);
    return { subscription, request, page, data };
  } catch (error) {
    session.dropSubscription(subscription);
    throw error;
  }
}

/**
 * Second half, in one turn with sending the answer: from here on the subscription is delivered to.
 * `besidesBytes`: publications of other channels in the same answer.
 * Undefined where the session, or the place, ended meanwhile. Throws `Rejection`.
 */
export function activateSubscription(
  services: Services,
  session: Session,
  prepared: Prepared,
  besidesBytes = 0,
): SubscribeResult | undefined {
  const { subscription, request, page, data } = prepared;
  if (subscription.state !== 'joining') return undefined;
  try {
    const result = services.recovery.activate(subscription, request, page, besidesBytes);
    if (session.isMemberOf(subscription)) {
      services.joinPresence(subscription.channelName, session.clientInfo(subscription));
    }
    services.observation?.subscribed(session, subscription);
    if (subscription.intervalMs > 0) result.interval = subscription.intervalMs;
    return { ...result, ...(data === undefined ? {} : { data }), ...clientExpiry(services, subscription) };
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

/** The same of a subscription. One that a hook granted is refreshed by the node, and its client told nothing. */
export function clientExpiry(services: Services, { byHook, expiresAtMs }: Subscription): ReturnType<typeof expiry> {
  return byHook ? {} : expiry(services, expiresAtMs);
}

/** A function, because the state changes under an `await`, which the compiler does not see. */
function hasEnded(subscription: Subscription): boolean {
  return subscription.state === 'ended';
}

/** Resolves to what the application gives the client with the answer. */
async function permit(
  session: Session,
  services: Services,
  { name, namespace }: Target,
  request: SubscribeRequest,
  subscription: Subscription,
): Promise<Uint8Array | undefined> {
  if ((request.type ?? 0) !== 0)
    throw new Rejection(rejections.notAvailable, 'only stream subscriptions are available');
  // Whoever asks for a part must not be given everything.
  if (request.tf !== undefined) throw new Rejection(rejections.notAvailable, 'filters by tags are not available');
  const { identity } = session;
  const token = request.token ?? '';
  const isByToken = token !== '';
  const grant: SubscribeGrant | undefined = isByToken
    ? await judged('subscribe', token, session, services, () =>
        services.authenticator.subscription(token, identity, name),
      )
    : await granted(session, services, { name, namespace }, request);
  const question = { verb: 'subscribe', identity, channel: name, namespace, subscribed: false } as const;
  if (isByToken && grant !== undefined) services.revocations.mustStandFor(identity, grant);
  // Before it is asked: a refresh meanwhile looks at the subscriptions with what they have.
  subscription.grant = grant;
  await services.authorizer.authorize(grant === undefined ? question : { ...question, grant });
  subscription.expiresAtMs = grant?.expiresAtMs ?? 0;
  subscription.info = grant?.info;
  subscription.byHook = !isByToken && grant !== undefined;
  return grant?.data;
}

/** By the application, which counts as much as a subscription token. Undefined where it is not to be asked. */
async function granted(
  session: Session,
  { hooks }: Services,
  { name, namespace }: Pick<Target, 'name' | 'namespace'>,
  { data }: SubscribeRequest,
): Promise<SubscribeGrant | undefined> {
  if (!namespace.subscribeHook) return undefined;
  const { subscribe } = hooks;
  // A node that is configured so does not start; fail closed all the same.
  if (subscribe === undefined) throw new Rejection(rejections.hookUnavailable);
  return ask(session, (asker) => subscribe({ ...asker, channel: name, ...(data === undefined ? {} : { data }) }));
}

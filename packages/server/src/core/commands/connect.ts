import {
  publicationBytes,
  Rejection,
  rejections,
  type ConnectRequest,
  type ConnectResult,
  type SubscribeRequest,
  type SubscribeResult,
} from '@tutti/protocol';
import { answered } from '../ending-subscriptions.ts';
import { admit } from '../hook-identity.ts';
import type { Services } from '../services.ts';
import type { Call, Session } from '../session.ts';
import { activateSubscription, expiry, prepareSubscription, type Prepared } from '../subscribing.ts';

/** Authenticates, then brings up the subscriptions that the server gives, all in one answer. */
export async function connect(call: Call): Promise<void> {
  const { session, services } = call;
  const request = call.command.connect ?? {};
  const { identity, data } = await admit(session, services, {
    token: request.token ?? '',
    ...(request.data === undefined ? {} : { data: request.data }),
    name: request.name ?? '',
    version: request.version ?? '',
    remoteAddress: session.connection.remoteAddress,
  });
  if (session.state !== 'authenticating') return;
  services.revocations.mustStand(identity);
  session.identify(identity);
  const prepared = await prepareAll(session, services, request);
  if (session.state !== 'authenticating') return;
  const subs: Record<string, SubscribeResult> = Object.create(null) as Record<string, SubscribeResult>;
  let bytes = 0;
  for (const place of prepared) {
    const result = activateSubscription(services, session, place, bytes);
    if (result === undefined) continue;
    subs[place.subscription.wireName] = result;
    // A page of each channel would be many times what may wait for a connection (BP-1).
    for (const publication of result.publications ?? []) bytes += publicationBytes(publication);
  }
  const result: ConnectResult = {
    client: session.id,
    version: services.node.version,
    ping: Math.ceil(services.limits.pingIntervalMs / 1_000),
    pong: session.connection.isOneWay !== true,
    ...(session.connection.session === undefined ? {} : { session: session.connection.session }),
    node: services.node.name,
    time: services.clock.now(),
    frame_bytes_max: services.limits.frameBytesMax,
    ...(data === undefined ? {} : { data }),
    // Without a token the client has nothing to refresh with: the node asks the application.
    ...expiry(services, identity.fromHook?.isAlone === true ? 0 : identity.expiresAtMs),
    ...(prepared.length > 0 ? { subs } : {}),
  };
  call.reply({ connect: result });
  session.open();
  for (const { subscription } of prepared) answered(session, subscription);
}

/** Where one of them cannot be had the connect is refused: a client must not believe it is subscribed. */
async function prepareAll(session: Session, services: Services, request: ConnectRequest): Promise<Prepared[]> {
  const { identity } = session;
  const personal = services.node.personalChannel(identity.user);
  const names = new Set([...identity.channels, ...(personal === undefined ? [] : [personal])]);
  if (names.size > services.limits.subscriptionsMax) {
    throw new Rejection(
      rejections.limitExceeded,
      'the token or the application names more channels than a connection may have',
    );
  }
  const wanted = new Map<string, SubscribeRequest>(Object.entries(request.subs ?? {}));
  // All names first: one that no channel can have must not leave others half prepared.
  const targets = [...names].map((name) => session.resolve(name));
  const places = targets.map((target) => {
    const { flag: _noRejection, ...position } = wanted.get(target.name) ?? {};
    const source = identity.channels.includes(target.name) ? 'token' : 'server';
    return prepareSubscription(session, services, target, position, source);
  });
  try {
    return await Promise.all(places);
  } catch (error) {
    for (const subscription of [...session.subscriptions.values()]) session.dropSubscription(subscription);
    throw error;
  }
}

import { Rejection, rejections, type Position } from '@tutti/protocol';
import { Batch } from './batch.ts';
import { publicationPush } from './channel.ts';
import { answered } from './ending-subscriptions.ts';
import type { Services, Target } from './services.ts';
import type { Session } from './session.ts';
import { activateSubscription, prepareSubscription } from './subscribing.ts';

/** What the application gives with a subscription of its own making. */
export interface ServerSubscription {
  /** Shown to others as `chan_info`. */
  readonly info?: Uint8Array;
  /** Handed to the client with the news that it is subscribed. */
  readonly data?: Uint8Array;
  /** Milliseconds since 1970; absent: never. */
  readonly expiresAtMs?: number;
  /** What follows it in the log is sent first. Of no effect where the log does not reach back so far. */
  readonly recoverSince?: Position;
}

/**
 * Subscribes an open session to a channel without being asked by its client, for as long as the
 * connection lasts. A channel it has already stays as it is. Throws `Rejection`, or what the broker throws.
 */
export async function subscribeByServer(
  session: Session,
  services: Services,
  target: Target,
  { info, data, expiresAtMs = 0, recoverSince }: ServerSubscription,
): Promise<void> {
  if (session.subscriptions.has(target.channel)) return;
  const { subscriptionsMax } = services.limits;
  if (session.subscriptions.size >= subscriptionsMax) {
    throw new Rejection(rejections.limitExceeded, `a connection may have ${subscriptionsMax} subscriptions`);
  }
  const request = recoverSince === undefined ? {} : { recover: true, ...recoverSince };
  const prepared = await prepareSubscription(session, services, target, request, 'server');
  const { subscription } = prepared;
  subscription.info = info;
  subscription.expiresAtMs = expiresAtMs;
  const result = activateSubscription(services, session, prepared);
  const channel = subscription.channel;
  if (result === undefined || channel === undefined) return;
  const { positioned, epoch = '', offset = 0, publications = [] } = result;
  const position = positioned === true ? { recoverable: true, positioned, epoch, offset } : {};
  const subscribe = { ...position, ...(data === undefined ? {} : { data }) };
  session.send({ push: { channel: target.name, subscribe } });
  // In the turn of the activation: whatever the fan-out brings next stands behind them.
  if (publications.length > 0) {
    const pushes = publications.map((publication) => publicationPush(channel.wireName, publication, channel.epoch));
    session.deliver(new Batch(channel, pushes));
  }
  answered(session, subscription);
}

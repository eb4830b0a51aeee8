import { Rejection, rejections } from '@tutti/protocol';
import { answered } from '../ending-subscriptions.ts';
import type { Call } from '../session.ts';
import { activateSubscription, prepareSubscription } from '../subscribing.ts';

/** DEL-8: joins the bus, reads what was missed, answers, then delivers. */
export async function subscribe(call: Call): Promise<void> {
  const { session, services } = call;
  const request = call.command.subscribe ?? {};
  const target = session.resolve(request.channel);
  if (session.subscriptions.has(target.channel)) throw new Rejection(rejections.alreadySubscribed);
  const { subscriptionsMax } = services.limits;
  if (session.subscriptions.size >= subscriptionsMax) {
    throw new Rejection(rejections.limitExceeded, `a connection may have ${subscriptionsMax} subscriptions`);
  }
  const prepared = await prepareSubscription(session, services, target, request, 'client');
  const result = activateSubscription(services, session, prepared);
  if (result === undefined) return;
  call.reply({ subscribe: result });
  answered(session, prepared.subscription);
}

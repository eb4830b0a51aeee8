import type { Call } from '../session.ts';

/** Idempotent: a channel that is not subscribed is answered like one that was. */
export function unsubscribe(call: Call): void {
  const { session } = call;
  const { channel } = session.resolve(call.command.unsubscribe?.channel);
  const subscription = session.subscriptions.get(channel);
  if (subscription !== undefined && !subscription.serverSide) session.dropSubscription(subscription);
  call.reply({ unsubscribe: {} });
}

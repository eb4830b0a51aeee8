import type { Session } from '../session.ts';

/** Asked for and granted; a subscription that is still joining has not been granted yet. */
export function isSubscribed(session: Session, channel: string): boolean {
  const subscription = session.subscriptions.get(channel);
  return subscription !== undefined && subscription.state !== 'joining';
}

/**
 * - unsubscribed: not wanted, or refused for good
 * - subscribing: wanted; waiting for the connection, a token, an answer, or the next attempt
 * - subscribed: publications flow
 */
export type SubscriptionState = 'unsubscribed' | 'subscribing' | 'subscribed';

export type SubscriptionEvent =
  | 'subscribe'
  | 'unsubscribe'
  /** Commands can be sent (the connect command is on its way). */
  | 'linkUp'
  | 'linkDown'
  /** The server answered the subscribe command. */
  | 'accepted'
  /** It refused for good; or a token cannot be had. */
  | 'refused'
  /** It refused for now. */
  | 'failed'
  /** The server ended the subscription, code below 2500. */
  | 'ended'
  /** The server ended it for the moment (2500 up), or a publication is missing. */
  | 'interrupted'
  /** The back-off is over. */
  | 'retry';

/** `request`: send the command when all is there; `start`: deliver; `hold`: wait for the link; `later`: back off; `leave`: tell the server, then stop; `stop`. */
export type SubscriptionAct = 'none' | 'request' | 'start' | 'hold' | 'later' | 'leave' | 'stop';

interface Cell {
  readonly to: SubscriptionState;
  readonly act: SubscriptionAct;
}

function cell(to: SubscriptionState, act: SubscriptionAct = 'none'): Cell {
  return { to, act };
}

/** A full Record: a missing cell does not compile. */
export const subscriptionTable: Record<SubscriptionState, Record<SubscriptionEvent, Cell>> = {
  unsubscribed: {
    subscribe: cell('subscribing', 'request'),
    unsubscribe: cell('unsubscribed'),
    linkUp: cell('unsubscribed'),
    linkDown: cell('unsubscribed'),
    accepted: cell('unsubscribed'),
    refused: cell('unsubscribed'),
    failed: cell('unsubscribed'),
    ended: cell('unsubscribed'),
    interrupted: cell('unsubscribed'),
    retry: cell('unsubscribed'),
  },
  subscribing: {
    subscribe: cell('subscribing'),
    unsubscribe: cell('unsubscribed', 'leave'),
    linkUp: cell('subscribing', 'request'),
    linkDown: cell('subscribing', 'hold'),
    accepted: cell('subscribed', 'start'),
    refused: cell('unsubscribed', 'stop'),
    failed: cell('subscribing', 'later'),
    // The command may be under way: should the server accept it yet, it is told.
    ended: cell('unsubscribed', 'leave'),
    // The tail of an earlier subscription; the reply that is awaited decides.
    interrupted: cell('subscribing'),
    retry: cell('subscribing', 'request'),
  },
  subscribed: {
    subscribe: cell('subscribed'),
    unsubscribe: cell('unsubscribed', 'leave'),
    linkUp: cell('subscribed'),
    linkDown: cell('subscribing', 'hold'),
    accepted: cell('subscribed'),
    // A refresh was refused: the server may not know yet that it is over.
    refused: cell('unsubscribed', 'leave'),
    failed: cell('subscribed'),
    ended: cell('unsubscribed', 'stop'),
    interrupted: cell('subscribing', 'later'),
    retry: cell('subscribed'),
  },
};

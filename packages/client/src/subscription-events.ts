import type { ClientInfo, Position } from '@tutti/protocol';
import type { Gap } from './progress.ts';
import type { ReceivedPublication } from './requests.ts';
import type { SubscriptionState } from './subscription-state.ts';
import type { TuttiError } from './tutti-error.ts';

export interface SubscriptionChange {
  readonly from: SubscriptionState;
  readonly to: SubscriptionState;
  readonly code: number;
  readonly reason: string;
}

export interface Subscribed {
  readonly channel: string;
  /** True: it had been interrupted, and nothing is missing. */
  readonly recovered: boolean;
  readonly position: Position | undefined;
  readonly data: unknown;
}

export interface MemberChange {
  readonly channel: string;
  readonly info: ClientInfo<unknown>;
}

// A type and not an interface, so that it satisfies the emitter's index over event names.
export type SubscriptionEvents<T> = {
  state: SubscriptionChange;
  subscribed: Subscribed;
  unsubscribed: { readonly channel: string; readonly code: number; readonly reason: string };
  publication: ReceivedPublication<T>;
  join: MemberChange;
  leave: MemberChange;
  gap: Gap;
  error: TuttiError;
};

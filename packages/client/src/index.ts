export { Tutti, type Connected, type TuttiEvents } from './tutti.ts';
export type { TuttiOptions } from './options.ts';
export type {
  MemberChange,
  Subscribed,
  Subscription,
  SubscriptionChange,
  SubscriptionEvents,
  SubscriptionOptions,
} from './subscription.ts';
export type { ConnectionChange } from './connection.ts';
export type { ConnectionState } from './connection-state.ts';
export type { SubscriptionState } from './subscription-state.ts';
export type { Gap } from './progress.ts';
export type { History, HistoryOptions, Members, PublishOptions, ReceivedPublication } from './requests.ts';
export type { TokenGetter } from './token-source.ts';
export type { ClientCodec } from './client-codec.ts';
export type { Clock, Random, Timer, WatchNetwork, WebSocketConstructor, WebSocketLike } from './platform.ts';
export { clientErrors, TuttiError } from './tutti-error.ts';
export type { ClientInfo, Position, PublishResult } from '@tutti/protocol';

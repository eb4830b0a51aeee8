import type { Identity, SubscriptionGrant, Verb } from './authenticator.ts';
import type { Namespace } from '../config/namespace.ts';

/** May this identity do that? Deny by default. Throws `Rejection` permissionDenied or notAvailable. */
export interface Authorizer {
  /**
   * Synchronous where no outside party is asked, so that publishes of one connection keep their
   * order without waiting for each other.
   */
  authorize(question: Question): Promise<void> | void;
}

export interface Question {
  readonly verb: Verb;
  readonly identity: Identity;
  /** Canonical; what is used is this very string, within the tenant of the identity (S10, S11). */
  readonly channel: string;
  readonly namespace: Namespace;
  /** The session is subscribed to the channel now. */
  readonly subscribed: boolean;
  /** What a verified subscription token said. */
  readonly grant?: SubscriptionGrant;
}

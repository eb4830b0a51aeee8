import { Disconnect, disconnects } from '@tutti/protocol';
import type { Clock } from '../core/clock.ts';
import {
  BadToken,
  type Authenticator,
  type ConnectAttempt,
  type Identity,
  type SubscriptionGrant,
} from './authenticator.ts';

/** Ahead of a key of the server API, in the place of a token. No JWT holds a colon. */
export const operatorTokenPrefix = 'apikey:';

/** The channel of the nodes' figures: all that the console of an operator is given. */
const statsChannel = 'tutti:stats';

/** What a key is worth that somebody shows: is there such a one, and has it the right `console`? */
export type JudgeKey = (presented: string) => 'unknown' | 'forbidden' | 'allowed';

/**
 * Lets the console in by a key of the server API (S27): it is an anonymous user of the operator's own space, who
 * may follow the nodes' figures. A key that is none counts as a guess, like any bad token (S9).
 */
export class OperatorAuthenticator implements Authenticator {
  readonly #users: Authenticator;
  readonly #judge: JudgeKey;
  readonly #clock: Clock;

  /** `users`: who believes all other tokens. */
  constructor(users: Authenticator, judge: JudgeKey, clock: Clock) {
    this.#users = users;
    this.#judge = judge;
    this.#clock = clock;
  }

  async connect(attempt: ConnectAttempt): Promise<Identity> {
    const { token } = attempt;
    if (!token.startsWith(operatorTokenPrefix)) return this.#users.connect(attempt);
    switch (this.#judge(token.slice(operatorTokenPrefix.length))) {
      case 'unknown': {
        const refused = new Disconnect(disconnects.invalidToken, 'the API key is not known');
        refused.cause = new BadToken('an API key that is not known');
        throw refused;
      }
      case 'forbidden':
        throw new Disconnect(disconnects.permissionDenied, 'the API key has not the right "console"');
      case 'allowed': {
        const capabilities = [{ channels: [statsChannel], allow: ['subscribe', 'history'] as const }];
        return { user: '', issuedAtMs: this.#clock.now(), channels: [], capabilities };
      }
    }
  }

  refresh(token: string, identity: Identity): Promise<Identity> {
    return this.#users.refresh(token, identity);
  }

  subscription(token: string, identity: Identity, channel: string): Promise<SubscriptionGrant> {
    return this.#users.subscription(token, identity, channel);
  }

  close(): void {
    this.#users.close?.();
  }
}

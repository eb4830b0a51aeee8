import { Disconnect, disconnects, Rejection, unsubscribes, type DisconnectKind } from '@tutti/protocol';
import type { Identity } from '../auth/authenticator.ts';
import type { Hooks, RefreshGrant } from '../hooks/hooks.ts';
import { ask, type Asker } from './asking.ts';
import type { Clock } from './clock.ts';
import type { Random } from './random.ts';
import type { Limits } from './limits.ts';
import type { Subscription } from './subscription.ts';

/** Between two tries where the application cannot be asked; with as much again by chance, so that those who failed together do not return together. */
const retryMs = 1_000;

/** A session, as far as its time goes. */
export interface Expiring extends Asker {
  readonly isOpen: boolean;
  readonly identity: Identity;
  readonly subscriptions: ReadonlyMap<string, Subscription>;
  renew(identity: Identity): void;
  expiryChanged(): void;
  disconnect(kind: DisconnectKind): void;
  endSubscription(subscription: Subscription, kind: DisconnectKind): void;
}

/**
 * Ends sessions and subscriptions whose credentials have run out and were not renewed within the grace (CON-5).
 *
 * Those that a hook let in have a client without a token to refresh with: the application is asked when their
 * time is over, and the client notices nothing. While it cannot be asked, they have the same grace.
 */
export class Expiries {
  readonly #hooks: Hooks;
  readonly #graceMs: number;
  readonly #seams: { readonly clock: Clock; readonly random: Random };
  /** Asked about now, or waiting for the next try. */
  readonly #underWay = new Set<Expiring | Subscription>();

  constructor(
    hooks: Hooks,
    { tokenGraceMs }: Pick<Limits, 'tokenGraceMs'>,
    seams: { readonly clock: Clock; readonly random: Random },
  ) {
    this.#hooks = hooks;
    this.#graceMs = tokenGraceMs;
    this.#seams = seams;
  }

  /** Acts on what is due now; returns in how many milliseconds to look again. */
  check(session: Expiring): number {
    const nowMs = this.#seams.clock.now();
    const { expiresAtMs = Infinity } = session.identity;
    if (expiresAtMs + this.#graceMs <= nowMs) {
      session.disconnect(disconnects.connectionExpired);
      return Infinity;
    }
    let next = Math.min(expiresAtMs + this.#graceMs - nowMs, this.#renewSessionIfDue(session, expiresAtMs - nowMs));
    for (const subscription of [...session.subscriptions.values()]) {
      // One that is still joining ends when it is answered: a client does not understand an end before that.
      if (subscription.expiresAtMs === 0 || subscription.state === 'joining') continue;
      const leftMs = subscription.expiresAtMs - nowMs;
      if (leftMs + this.#graceMs <= 0) session.endSubscription(subscription, unsubscribes.expired);
      else next = Math.min(next, leftMs + this.#graceMs, this.#renewSubscriptionIfDue(session, subscription, leftMs));
    }
    return next;
  }

  #renewSessionIfDue(session: Expiring, leftMs: number): number {
    const { refresh } = this.#hooks;
    if (refresh === undefined || session.identity.fromHook?.isAlone !== true) return Infinity;
    if (leftMs > 0 || this.#underWay.has(session)) return leftMs > 0 ? leftMs : Infinity;
    this.#start(session, session, async () => this.#renewSession(session, await ask(session, refresh)));
    return Infinity;
  }

  #renewSubscriptionIfDue(session: Expiring, subscription: Subscription, leftMs: number): number {
    const { subRefresh } = this.#hooks;
    if (subRefresh === undefined || !subscription.byHook) return Infinity;
    if (leftMs > 0 || this.#underWay.has(subscription)) return leftMs > 0 ? leftMs : Infinity;
    const { wireName: channel } = subscription;
    this.#start(session, subscription, async () => {
      const grant = await ask(session, (asker) => subRefresh({ ...asker, channel }));
      this.#renewSubscription(session, subscription, grant);
    });
    return Infinity;
  }

  #start(session: Expiring, item: Expiring | Subscription, start: () => Promise<void>): void {
    this.#underWay.add(item);
    start().then(
      () => this.#underWay.delete(item),
      (error: unknown) => this.#refused(session, item, error),
    );
  }

  #renewSession(session: Expiring, { expiresAtMs, info }: RefreshGrant): void {
    if (!session.isOpen || isReplaced(session)) return;
    if (expiresAtMs !== undefined && expiresAtMs <= this.#seams.clock.now()) {
      session.disconnect(disconnects.connectionExpired);
      return;
    }
    this.#underWay.delete(session);
    const { expiresAtMs: _former, ...identity } = session.identity;
    session.renew({
      ...identity,
      ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
      ...(info === undefined ? {} : { info }),
    });
  }

  #renewSubscription(session: Expiring, subscription: Subscription, { expiresAtMs, info }: RefreshGrant): void {
    if (!session.isOpen || hasEnded(subscription) || !subscription.byHook) return;
    if (expiresAtMs !== undefined && expiresAtMs <= this.#seams.clock.now()) {
      session.endSubscription(subscription, unsubscribes.expired);
      return;
    }
    this.#underWay.delete(subscription);
    subscription.expiresAtMs = expiresAtMs ?? 0;
    if (info !== undefined) subscription.info = info;
    session.expiryChanged();
  }

  #refused(session: Expiring, item: Expiring | Subscription, error: unknown): void {
    if (error instanceof Rejection && error.kind.temporary) {
      const waitMs = retryMs * (1 + this.#seams.random.next());
      this.#seams.clock.after(waitMs, () => {
        this.#underWay.delete(item);
        if (session.isOpen) session.expiryChanged();
      });
      return;
    }
    this.#underWay.delete(item);
    if (error instanceof Disconnect) session.disconnect(error.kind);
    else if (item === session) {
      if (!isReplaced(session)) session.disconnect(disconnects.connectionExpired);
    } else {
      const subscription = item as Subscription;
      if (subscription.byHook) session.endSubscription(subscription, unsubscribes.expired);
    }
  }
}

/** The client brought a token while the application was asked: that counts, and the answer is to a question of before. */
function isReplaced({ identity }: Expiring): boolean {
  return identity.fromHook?.isAlone !== true;
}

function hasEnded(subscription: Subscription): boolean {
  return subscription.state === 'ended';
}

import type { Position, Publication, Push, SubscribePush, SubscribeRequest, SubscribeResult } from '@tutti/protocol';
import { gapBetween, Progress, type Gap } from './progress.ts';
import { received, type ReceivedPublication } from './requests.ts';
import type { MemberChange, Subscribed } from './subscription-events.ts';

/** Events of the channels that the server subscribed this connection to. */
export type ServerSubscriptionEvents = {
  subscribed: Subscribed;
  unsubscribed: { readonly channel: string; readonly code: number; readonly reason: string };
  publication: ReceivedPublication;
  join: MemberChange;
  leave: MemberChange;
  gap: Gap;
};

export interface ServerSubscriptionsOwner {
  tell<K extends keyof ServerSubscriptionEvents>(name: K, event: ServerSubscriptionEvents[K]): void;
  /** A publication is missing: a new connection recovers it. */
  lost(reason: string): void;
}

interface Entry {
  progress: Progress;
  isRecoverable: boolean;
}

/**
 * Channels that the server subscribes this connection to: in the connect reply, or by a push. They
 * are recovered across reconnects by sending their positions along with the connect command.
 * Bound: what the server names; nothing a peer of this client can add to.
 */
export class ServerSubscriptions {
  readonly #owner: ServerSubscriptionsOwner;
  readonly #entries = new Map<string, Entry>();
  /** Grows with each connection, so that a listener that ends one makes the rest of its news void. */
  #turn = 0;

  constructor(owner: ServerSubscriptionsOwner) {
    this.#owner = owner;
  }

  /** For the connect command: undefined where there is nothing to recover. */
  requests(): Record<string, SubscribeRequest<unknown>> | undefined {
    const recoverable = [...this.#entries].filter(
      ([, { isRecoverable, progress }]) => isRecoverable && progress.position,
    );
    if (recoverable.length === 0) return undefined;
    return Object.fromEntries(
      recoverable.map(([channel, { progress }]) => [channel, { recover: true, ...progress.position }]),
    );
  }

  connected(subs: Record<string, SubscribeResult<unknown>>): void {
    const turn = ++this.#turn;
    for (const channel of [...this.#entries.keys()]) {
      if (!Object.hasOwn(subs, channel)) this.#end(channel, 2000, 'no longer subscribed by the server');
    }
    for (const [channel, result] of Object.entries(subs)) {
      if (turn === this.#turn) this.#begin(channel, result, turn);
    }
  }

  /** The link is gone; the positions are kept for the next. */
  linkDown(): void {
    this.#turn++;
  }

  /** The client was closed. */
  clear(code: number, reason: string): void {
    this.#turn++;
    for (const channel of [...this.#entries.keys()]) this.#end(channel, code, reason);
  }

  pushed(channel: string, push: Push<unknown>): void {
    if (push.subscribe !== undefined) {
      this.#subscribed(channel, push.subscribe);
      return;
    }
    const entry = this.#entries.get(channel);
    if (entry === undefined) return;
    if (push.pub !== undefined) this.#deliver(channel, entry, push.pub, false);
    else if (push.join !== undefined) this.#owner.tell('join', { channel, info: push.join.info });
    else if (push.leave !== undefined) this.#owner.tell('leave', { channel, info: push.leave.info });
    else if (push.unsubscribe !== undefined) this.#end(channel, push.unsubscribe.code, push.unsubscribe.reason);
  }

  #begin(channel: string, result: SubscribeResult<unknown>, turn: number): void {
    const before = this.#entries.get(channel);
    const from = before?.progress.position;
    const to = topOf(result);
    const recovered = result.recovered === true && from !== undefined;
    const gap = before !== undefined && !recovered ? gapBetween(channel, from, to) : undefined;
    const entry = this.#enter(
      channel,
      recovered ? { offset: from.offset, epoch: result.epoch ?? from.epoch } : to,
      result.recoverable,
    );
    this.#owner.tell('subscribed', { channel, recovered, position: entry.progress.position, data: result.data });
    if (turn === this.#turn && gap !== undefined) this.#owner.tell('gap', gap);
    for (const publication of result.publications ?? []) {
      if (turn === this.#turn) this.#deliver(channel, entry, publication, true);
    }
  }

  #subscribed(channel: string, push: SubscribePush<unknown>): void {
    const { progress } = this.#enter(channel, topOf(push), push.recoverable);
    this.#owner.tell('subscribed', { channel, recovered: false, position: progress.position, data: push.data });
  }

  #enter(channel: string, position: Position | undefined, isRecoverable = false): Entry {
    const entry: Entry = { progress: new Progress(), isRecoverable };
    entry.progress.position = position;
    this.#entries.set(channel, entry);
    return entry;
  }

  #deliver(channel: string, entry: Entry, publication: Publication<unknown>, vouched: boolean): void {
    const verdict = entry.progress.judge(publication, vouched);
    if (verdict === 'deliver') this.#owner.tell('publication', received(channel, publication));
    else if (verdict === 'gap')
      this.#owner.lost(`a publication before offset ${publication.offset} of ${channel} is missing`);
  }

  #end(channel: string, code: number, reason: string): void {
    if (this.#entries.delete(channel)) this.#owner.tell('unsubscribed', { channel, code, reason });
  }
}

function topOf({ recoverable, positioned, offset, epoch }: SubscribePush<unknown>): Position | undefined {
  return recoverable || positioned ? { offset: offset ?? 0, epoch: epoch ?? '' } : undefined;
}

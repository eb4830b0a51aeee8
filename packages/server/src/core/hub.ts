import { unsubscribes, type ClientInfo, type Position, type Publication } from '@tutti/protocol';
import type { Broker, HistoryPage, LivePublication } from '../broker/broker.ts';
import type { Namespace } from '../config/namespace.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { Channel, publicationPush } from './channel.ts';
import type { FlushScheduler } from './flush-scheduler.ts';
import { fixedLimits, type Limits } from './limits.ts';
import type { LookAgain } from './look-again.ts';
import type { SubscribedChannel, Subscription } from './subscription.ts';

/**
 * This node's map channel → subscriptions, and the fan-out into it.
 *
 * Contract: a publication given to `receive` is in the queues of all live subscriptions of its
 * channel after the next flush, in the order of the log, none missing (DEL-1, DEL-2). Where the
 * bus lost one, the log is read before anything further is delivered (DEL-7). Never throws.
 */
export class Hub {
  readonly #broker: Broker;
  readonly #flushes: FlushScheduler;
  readonly #limits: Limits;
  readonly #telemetry: Telemetry;
  readonly #lookAgain: LookAgain;
  readonly #channels = new Map<string, SubscribedChannel>();
  /** Channels whose bus subscription is being given up; opening one again waits for that. */
  readonly #leaving = new Map<string, Promise<void>>();

  constructor(broker: Broker, flushes: FlushScheduler, limits: Limits, telemetry: Telemetry, lookAgain: LookAgain) {
    this.#lookAgain = lookAgain;
    this.#broker = broker;
    this.#flushes = flushes;
    this.#limits = limits;
    this.#telemetry = telemetry;
  }

  get channels(): ReadonlyMap<string, SubscribedChannel> {
    return this.#channels;
  }

  /** Puts a joining subscription into its channel, opening it on this node where needed. Throws what the broker throws. */
  async join(subscription: Subscription, namespace: Namespace): Promise<SubscribedChannel> {
    const name = subscription.channelName;
    let channel = this.#channels.get(name);
    if (channel === undefined) {
      channel = new Channel<Subscription>(name, namespace);
      this.#channels.set(name, channel);
      channel.opened = this.#open(channel);
      // Everybody who joins awaits it; without anybody left, nobody would.
      channel.opened.catch(() => undefined);
    }
    channel.behind.add(subscription);
    subscription.channel = channel;
    // Until it is answered: what is published meanwhile reaches it from the tail.
    subscription.holdsTail = true;
    channel.holdTail();
    await channel.opened;
    return channel;
  }

  /** From now on the fan-out reaches it. Only for a subscription that has everything up to the channel's top. */
  goLive(subscription: Subscription): void {
    const channel = subscription.channel;
    if (channel === undefined || subscription.state === 'ended') return;
    // What waits for the flush is at or before the top: this subscription has it.
    channel.flush();
    channel.behind.delete(subscription);
    channel.live.add(subscription);
    subscription.state = 'live';
    this.releaseTail(subscription);
  }

  /** The subscription was answered: from now on it holds no tail, but while it reads. Idempotent. */
  releaseTail(subscription: Subscription): void {
    if (!subscription.holdsTail) return;
    subscription.holdsTail = false;
    subscription.channel?.releaseTail();
  }

  /** Its connection lags, and the log has what it is not given now: it goes on from there when it can. */
  fallBehind(subscription: Subscription, offset: number | undefined): void {
    const channel = subscription.channel;
    if (channel === undefined || (subscription.state !== 'live' && subscription.state !== 'behind')) return;
    if (subscription.state === 'live') subscription.offset = channel.flushedTop;
    if (offset !== undefined) subscription.offset = offset;
    channel.live.delete(subscription);
    channel.behind.add(subscription);
    subscription.state = 'behind';
    this.#telemetry.count('subscriptions_fell_behind');
  }

  /** Idempotent. */
  leave(subscription: Subscription): void {
    const channel = subscription.channel;
    subscription.state = 'ended';
    if (channel === undefined) return;
    channel.live.delete(subscription);
    channel.behind.delete(subscription);
    this.releaseTail(subscription);
    if (channel.isEmpty) this.#close(channel);
  }

  /** A live publication from the broker. */
  receive(live: LivePublication): void {
    // Before anything is sorted out: what comes for nobody would have cost the bus and this node, too.
    this.#telemetry.count('publications_received');
    const channel = this.#channels.get(live.channel);
    if (channel === undefined) return;
    if (!channel.isPositioned) {
      if (channel.state === 'live') this.#fanOut(channel, live.publication, '');
      return;
    }
    if (channel.state !== 'live') {
      channel.keep(live);
      return;
    }
    this.#advance(channel, live);
  }

  /** Tells all live subscriptions of the channel, in order with its publications. */
  announce(name: string, kind: 'join' | 'leave', info: ClientInfo): void {
    const channel = this.#channels.get(name);
    if (channel === undefined) return;
    channel.enqueue({ channel: channel.wireName, [kind]: { info } });
    this.#flushes.channel(channel);
  }

  /**
   * Compares one channel with the log, because somebody has heard of more than this node. Resolves when the channel is
   * whole again. Throws what the broker throws.
   */
  async checkPosition(name: string): Promise<void> {
    const seen = this.positionsOf([name]).get(name);
    if (seen === undefined) return;
    const { top } = await this.#broker.history(name, { limit: 0 });
    if (this.compare(name, seen, top) === 'behind') await this.repair(name);
  }

  /** How far the fan-out has come, of those that can be compared now. */
  positionsOf(names: readonly string[]): Map<string, Position> {
    const positions = new Map<string, Position>();
    for (const name of names) {
      const channel = this.#channels.get(name);
      if (channel?.state === 'live' && channel.isPositioned) positions.set(name, channel.position);
    }
    return positions;
  }

  /**
   * What the log's top says, that was read since the channel was at `seen`: `behind`, it is to be repaired; `lower`, the log
   * knows less than it gave out, which is to be looked at again before it is believed. Another epoch is believed at once.
   */
  compare(name: string, seen: Position, top: Position): 'whole' | 'behind' | 'lower' {
    const channel = this.#channels.get(name);
    // Read while publications went on: only a top that the fan-out still has not reached is a loss.
    if (channel?.state !== 'live' || channel.epoch !== seen.epoch || channel.top !== seen.offset) return 'whole';
    if (top.epoch !== seen.epoch) this.#invalidate(channel, top.epoch, top.offset);
    else if (top.offset !== seen.offset) return top.offset > seen.offset ? 'behind' : 'lower';
    return 'whole';
  }

  /** Resolves when the channel is whole again, or was given up. Never rejects. */
  async repair(name: string): Promise<void> {
    const channel = this.#channels.get(name);
    if (channel?.state === 'live' && channel.isPositioned) await this.#repair(channel);
  }

  /** The log really knows no more than this: every subscriber is told. */
  lost(name: string, top: Position): void {
    const channel = this.#channels.get(name);
    if (channel?.state === 'live' && channel.epoch === top.epoch && channel.top > top.offset) {
      this.#invalidate(channel, top.epoch, top.offset);
    }
  }

  async #open(channel: SubscribedChannel): Promise<void> {
    try {
      await this.#leaving.get(channel.name);
      await this.#broker.subscribe(channel.name);
      if (channel.isPositioned) {
        const page = await this.#broker.history(channel.name, { limit: 0 });
        channel.epoch = page.top.epoch;
        channel.top = page.top.offset;
      }
    } catch (error) {
      channel.state = 'closed';
      if (this.#channels.get(channel.name) === channel) this.#channels.delete(channel.name);
      this.#leaveBus(channel.name);
      throw error;
    }
    if (channel.state !== 'opening') return;
    channel.state = 'live';
    // Nobody is live yet, but what came in meanwhile moves the top; the tail stays for those who join.
    this.#advanceFromTail(channel);
    if (channel.isEmpty) this.#close(channel);
    else if (channel.tailTop > channel.top) void this.#repair(channel);
  }

  #close(channel: SubscribedChannel): void {
    if (channel.state === 'opening' || channel.state === 'closed') return;
    channel.state = 'closed';
    this.#channels.delete(channel.name);
    this.#leaveBus(channel.name);
  }

  #leaveBus(name: string): void {
    const left = this.#broker
      .unsubscribe(name)
      .catch((error: unknown) => {
        this.#telemetry.log.warn({ seam: 'broker', error }, 'leaving a channel failed');
      })
      .finally(() => {
        if (this.#leaving.get(name) === left) this.#leaving.delete(name);
      });
    this.#leaving.set(name, left);
  }

  #advance(channel: SubscribedChannel, live: LivePublication): void {
    const offset = live.publication.offset ?? 0;
    if (live.epoch === channel.epoch && offset <= channel.top) return;
    // Those who join now are answered from before this publication, and it reaches them as any other.
    if (live.epoch !== channel.epoch) this.#invalidate(channel, live.epoch, live.previousOffset);
    if (live.previousOffset !== channel.top) {
      channel.keep(live);
      void this.#repair(channel);
      return;
    }
    channel.top = offset;
    if (channel.isTailHeld) channel.keep(live);
    this.#fanOut(channel, live.publication, live.epoch);
  }

  #fanOut(channel: SubscribedChannel, publication: Publication, epoch: string): void {
    channel.enqueue(publicationPush(channel.wireName, publication, epoch));
    this.#flushes.channel(channel);
  }

  /** DEL-7: the log is read from the last delivered on, before anything further is delivered. */
  async #repair(channel: SubscribedChannel): Promise<void> {
    channel.state = 'repairing';
    this.#telemetry.count('gaps_repaired');
    let looks = 0;
    try {
      while (channel.state === 'repairing') {
        const since = channel.position;
        const page = await this.#broker.history(channel.name, {
          since,
          limit: this.#limits.recoveryPageMax,
          bytesMax: fixedLimits.recoveryPageBytesMax,
        });
        if (channel.state !== 'repairing') return;
        if (!this.#advanceFromPage(channel, page)) {
          const { epoch, offset } = page.top;
          const knowsLess = epoch === channel.epoch && offset < Math.max(channel.top, channel.tailTop);
          if (knowsLess && this.#lookAgain.mayLookAgain(looks)) {
            await this.#lookAgain.pause(looks);
            looks += 1;
            continue;
          }
          channel.state = 'live';
          // Nothing is missing any more where the bus itself has brought it meanwhile.
          const isWhole = !knowsLess && epoch === channel.epoch && offset === channel.top;
          if (isWhole) this.#advanceFromTail(channel);
          else this.#invalidate(channel, epoch, offset);
        } else if (channel.top >= page.top.offset) {
          channel.state = 'live';
          this.#advanceFromTail(channel);
          if (channel.tailTop > channel.top) channel.state = 'repairing';
        }
      }
    } catch (error) {
      this.#telemetry.log.error(
        { seam: 'broker', channel: channel.name, error },
        'the log could not be read to repair a gap',
      );
      channel.state = 'live';
      this.#invalidate(channel, channel.epoch, channel.top);
    }
  }

  /** False where the page does not continue what was delivered: trimmed, another epoch, or a log behind its own bus. */
  #advanceFromPage(channel: SubscribedChannel, page: HistoryPage): boolean {
    const first = page.publications[0]?.offset;
    if (page.top.epoch !== channel.epoch || first !== channel.top + 1) return false;
    for (const publication of page.publications) {
      channel.top = publication.offset ?? channel.top;
      this.#fanOut(channel, publication, channel.epoch);
    }
    return true;
  }

  #advanceFromTail(channel: SubscribedChannel): void {
    const tail = channel.tailAfter(channel.top) ?? [];
    for (const live of tail) {
      if (channel.state !== 'live') return;
      channel.top = live.publication.offset ?? channel.top;
      this.#fanOut(channel, live.publication, live.epoch);
    }
    if (!channel.isTailHeld) channel.dropTail();
  }

  /** What was promised cannot be kept from here: every subscriber starts again, and is told what it missed. */
  #invalidate(channel: SubscribedChannel, epoch: string, top: number): void {
    channel.flush();
    channel.epoch = epoch;
    channel.top = top;
    channel.dropTail();
    for (const subscription of [...channel.live, ...channel.behind]) {
      // Those still joining read the new position when they are answered.
      if (subscription.state !== 'joining')
        subscription.session.endSubscription(subscription, unsubscribes.insufficientState);
    }
  }
}

import {
  Rejection,
  rejections,
  publicationBytes,
  unsubscribes,
  type Publication,
  type SubscribeRequest,
  type SubscribeResult,
} from '@tutti/protocol';
import type { Broker, HistoryPage } from '../broker/broker.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { Batch } from './batch.ts';
import { publicationPush } from './channel.ts';
import type { Hub } from './hub.ts';
import { catchUpRoomBytes, pageBytesMax, type Limits } from './limits.ts';
import type { SubscribedChannel, Subscription } from './subscription.ts';

/** Names of fields, punctuation, offset and time of a publication on the wire, about. */
const publicationOverheadBytes = 64;
/** `SubscribeRequest.flag`: answer error 112 in place of `recovered: false`. */
const rejectUnrecovered = 2;

/**
 * Brings subscriptions to the top of their channels.
 *
 * One rule for subscribing, recovering and catching up: a subscription that is behind takes what
 * follows its position from the channel's tail, else from the log, page by page, until it meets
 * the channel's top; in that same turn it goes live. No publication can fall between, and none can
 * come twice, whatever is published at whichever moment (DEL-8, docs/decisions/0004).
 *
 * The first page rides in the answer, the rest follows as ordinary pushes at the pace at which the
 * connection drains (DEL-9).
 */
export class Recovery {
  readonly #broker: Broker;
  readonly #hub: Hub;
  readonly #limits: Limits;
  readonly #telemetry: Telemetry;

  constructor(broker: Broker, hub: Hub, limits: Limits, telemetry: Telemetry) {
    this.#broker = broker;
    this.#hub = hub;
    this.#limits = limits;
    this.#telemetry = telemetry;
  }

  /** The first page after the requested position, where it has to be read from the log. */
  async firstPage(channel: SubscribedChannel, request: SubscribeRequest): Promise<HistoryPage | undefined> {
    if (request.recover !== true || !isSameEpoch(channel, request)) return undefined;
    const offset = request.offset ?? 0;
    // The client heard it from a node that is ahead of this one: ask the log before calling it unknown.
    if (offset > channel.top) await this.#hub.checkPosition(channel.name);
    if (offset >= channel.top || channel.tailAfter(offset) !== undefined) return undefined;
    return this.#read(channel, offset);
  }

  /**
   * Answers a joining subscription, and takes it live where it has everything. Synchronous: the
   * caller sends the answer in the same turn, before anything else of this channel (DEL-8).
   * `besidesBytes`: publications of other channels in the same answer. Throws `Rejection` 112 where the
   * client asked for that.
   */
  activate(
    subscription: Subscription,
    request: SubscribeRequest,
    page: HistoryPage | undefined,
    besidesBytes = 0,
  ): SubscribeResult {
    const channel = subscription.channel;
    if (channel === undefined || !channel.isPositioned) {
      this.#hub.goLive(subscription);
      return {};
    }
    const result: SubscribeResult = { recoverable: true, positioned: true, epoch: channel.epoch, offset: channel.top };
    if (request.recover !== true) {
      this.#hub.goLive(subscription);
      return result;
    }
    result.was_recovering = true;
    const missed = this.#missed(channel, request, page);
    this.#telemetry.count(missed === undefined ? 'recoveries_failed' : 'recoveries');
    if (missed === undefined) {
      if (((request.flag ?? 0) & rejectUnrecovered) !== 0) throw new Rejection(rejections.unrecoverablePosition);
      this.#hub.goLive(subscription);
      return { ...result, recovered: false };
    }
    // Without room for a page the answer goes out empty, and all that was missed follows as pushes.
    const hasRoom = subscription.session.hasRoom && besidesBytes < catchUpRoomBytes(this.#limits);
    const publications = hasRoom ? missed : [];
    subscription.offset = publications.at(-1)?.offset ?? request.offset ?? 0;
    if (subscription.offset === channel.top) this.#hub.goLive(subscription);
    else {
      subscription.state = 'behind';
      this.#hub.releaseTail(subscription);
    }
    return { ...result, recovered: true, offset: request.offset ?? 0, publications };
  }

  /** One page further, or live; true where more is to come. Never rejects. */
  async readPage(subscription: Subscription): Promise<boolean> {
    if (subscription.state !== 'behind') return false;
    try {
      await this.#step(subscription);
    } catch (error) {
      this.#telemetry.log.error(
        { seam: 'broker', channel: subscription.channelName, error },
        'the log could not be read to catch up',
      );
      if (isBehind(subscription)) this.#giveUp(subscription);
    }
    return isBehind(subscription);
  }

  async #step(subscription: Subscription): Promise<void> {
    const channel = subscription.channel;
    if (channel === undefined) return;
    if (subscription.offset === channel.top) {
      this.#hub.goLive(subscription);
      return;
    }
    const tail = channel.tailAfter(subscription.offset);
    if (tail !== undefined) {
      this.#send(
        subscription,
        channel,
        tail.map((live) => live.publication),
      );
      return;
    }
    await this.#readPage(subscription, channel);
  }

  /** While it reads, the channel keeps what is published, so that the end of the page meets the fan-out. */
  async #readPage(subscription: Subscription, channel: SubscribedChannel): Promise<void> {
    channel.holdTail();
    try {
      const page = await this.#read(channel, subscription.offset);
      if (!isBehind(subscription)) return;
      const first = page.publications[0]?.offset;
      if (page.top.epoch !== channel.epoch || first !== subscription.offset + 1) {
        // Trimmed away meanwhile, or a log that lost its end: say so rather than skip (DEL-9).
        this.#giveUp(subscription);
        return;
      }
      const rest = channel.tailAfter(page.publications.at(-1)?.offset ?? 0) ?? [];
      this.#send(subscription, channel, [...page.publications, ...rest.map((live) => live.publication)]);
    } finally {
      channel.releaseTail();
    }
  }

  /** Sends up to a page's bytes; goes live in the same turn where that reaches the top. */
  #send(subscription: Subscription, channel: SubscribedChannel, publications: readonly Publication[]): void {
    // Nothing beyond the fan-out's own position: going live from there would deliver it again.
    const known = publications.filter((publication) => (publication.offset ?? 0) <= channel.top);
    const due = cutToBytes(known, pageBytesMax(this.#limits));
    const last = due.at(-1)?.offset;
    if (last !== undefined) {
      subscription.offset = last;
      const pushes = due.map((pub) => publicationPush(channel.wireName, pub, channel.epoch));
      subscription.session.deliver(new Batch(channel, pushes, true));
    }
    if (subscription.state === 'behind' && subscription.offset === channel.top) this.#hub.goLive(subscription);
  }

  #giveUp(subscription: Subscription): void {
    this.#telemetry.count('recoveries_failed');
    subscription.session.endSubscription(subscription, unsubscribes.insufficientState);
  }

  /** What the client missed, as far as it goes into the answer; undefined where it cannot be known. */
  #missed(
    channel: SubscribedChannel,
    request: SubscribeRequest,
    page: HistoryPage | undefined,
  ): Publication[] | undefined {
    const offset = request.offset ?? 0;
    if (!isSameEpoch(channel, request) || offset > channel.top) return undefined;
    if (offset === channel.top) return [];
    let found: readonly Publication[] = [];
    if (page !== undefined) {
      if (page.top.epoch !== channel.epoch || page.publications[0]?.offset !== offset + 1) return undefined;
      found = page.publications.filter((publication) => (publication.offset ?? 0) <= channel.top);
    }
    const tail = channel.tailAfter(found.at(-1)?.offset ?? offset);
    const rest = (tail ?? [])
      .map((live) => live.publication)
      .filter((publication) => (publication.offset ?? 0) <= channel.top);
    // Nothing at hand although it was at first: the log is asked when catching up, and gives up honestly.
    return cutToBytes([...found, ...rest], pageBytesMax(this.#limits));
  }

  #read(channel: SubscribedChannel, offset: number): Promise<HistoryPage> {
    return this.#broker.history(channel.name, {
      since: { offset, epoch: channel.epoch },
      limit: this.#limits.recoveryPageMax,
      bytesMax: pageBytesMax(this.#limits),
    });
  }
}

/** A position of another epoch says nothing about this log. Without an epoch only the very beginning is one. */
function isSameEpoch(channel: SubscribedChannel, { epoch = '', offset = 0 }: SubscribeRequest): boolean {
  return epoch === '' ? offset === 0 : epoch === channel.epoch;
}

/** A function, because the state changes under an `await`, which the compiler does not see. */
function isBehind(subscription: Subscription): boolean {
  return subscription.state === 'behind';
}

/** The first of them always, however large it is. */
function cutToBytes(publications: Publication[], bytesMax: number): Publication[] {
  let bytes = 0;
  for (const [i, publication] of publications.entries()) {
    bytes += publicationBytes(publication) + publicationOverheadBytes;
    if (bytes > bytesMax && i > 0) return publications.slice(0, i);
  }
  return publications;
}

import { unsubscribes, type ErrorReply, type Position, type Publication, type Push, type Reply } from '@tutti/protocol';
import { encodePublication } from '@tutti/protocol/json';
import type { SubscribeResult } from '@tutti/protocol';
import { eventId, positionsMax } from './positions.ts';
import { wasAt, type UniOpening } from './uni-opening.ts';

/** Bytes of publications in one answer. What is left out is in the log, behind the cursor. One always fits. */
const answerBytesMax = 256 * 1024;
/**
 * Of publications that are in no log, and pile up while other channels of the poll are still asked for: a
 * hook may take seconds, and a channel carry megabytes in one. The oldest are left out, and counted for the reader.
 */
export const answerLiveBytesMax: number = 256 * 1024;
/** What a publication costs besides its bytes. */
const publicationBytes = 64;

/** What the answer says of one channel. */
interface ChannelPart {
  /** Undefined: the channel keeps nothing, so that what comes between two polls is missed. */
  position: Position | undefined;
  isGap: boolean;
  refused?: { code: number; message: string };
  unsubscribed?: { code: number; reason: string };
  readonly publications: Uint8Array[];
  /** Of a channel that keeps nothing: bytes of its publications, and how many were left out before those. */
  liveBytes: number;
  skipped: number;
  /** The answer was full: what follows would leave a hole. */
  isFull: boolean;
}

/**
 * What one poll is answered with: the publications after its cursor, by channel, and the next cursor.
 * Built from the replies and pushes of an ordinary session.
 */
export class PollAnswer {
  readonly #opening: UniOpening;
  readonly #parts = new Map<string, ChannelPart>();
  /** Ids of commands that the session has not answered yet; the connect is 1. */
  readonly #unanswered: Set<number>;
  #bytes = 0;
  #liveBytes = 0;
  #hasNews = false;

  constructor(opening: UniOpening) {
    this.#opening = opening;
    this.#unanswered = new Set([connectId, ...opening.asked.keys()]);
  }

  /** All channels are brought up to date, or refused. */
  get isComplete(): boolean {
    return this.#unanswered.size === 0;
  }

  /** There is something to tell that is not to wait. */
  get hasNews(): boolean {
    return this.#hasNews;
  }

  /** No channel was asked for, and none is given. */
  get isEmpty(): boolean {
    return this.#parts.size === 0;
  }

  /** Why there is nothing to wait for: every channel is refused. */
  get refusal(): { code: number; message: string } | undefined {
    const parts = [...this.#parts.values()];
    return parts.every(({ refused }) => refused !== undefined) ? parts[0]?.refused : undefined;
  }

  /** Opaque: where the reader stands with this answer. Empty where none of its channels keeps anything. */
  get cursor(): string {
    const positions = new Map<string, Position>();
    for (const [channel, { position }] of this.#parts) {
      if (position !== undefined && positions.size < positionsMax) positions.set(channel, position);
    }
    return positions.size === 0 ? '' : eventId(positions);
  }

  /** Publications that were left out, and are in no log. */
  get skipped(): number {
    let skipped = 0;
    for (const part of this.#parts.values()) skipped += part.skipped;
    return skipped;
  }

  add(reply: Reply): void {
    if (reply.push !== undefined) this.#addPush(reply.push);
    else if (reply.id !== undefined) this.#addReply(reply, reply.id);
  }

  body(): Buffer {
    const channels: Uint8Array[] = [];
    for (const [channel, part] of this.#parts) {
      const facts = JSON.stringify(factsOf(part)).slice(0, -1);
      channels.push(Buffer.from(`${channels.length === 0 ? '' : ','}${JSON.stringify(channel)}:${facts}`));
      channels.push(Buffer.from(',"publications":['));
      part.publications.forEach((bytes, i) => channels.push(i === 0 ? bytes : Buffer.concat([comma, bytes])));
      channels.push(Buffer.from(']}'));
    }
    const head = Buffer.from(`{"cursor":${JSON.stringify(this.cursor)},"channels":{`);
    return Buffer.concat([head, ...channels, Buffer.from('}}\n')]);
  }

  #addReply({ error, connect, subscribe }: Reply, id: number): void {
    this.#unanswered.delete(id);
    if (connect !== undefined) {
      for (const [channel, result] of Object.entries(connect.subs ?? {})) this.#subscribed(channel, result);
    }
    const channel = this.#opening.asked.get(id);
    if (channel === undefined) return;
    if (error !== undefined) this.#refused(channel, error);
    else if (subscribe !== undefined) this.#subscribed(channel, subscribe);
  }

  #refused(channel: string, { code, message }: ErrorReply): void {
    // Told with every answer, and no reason for one: the reader would come back at once, for ever.
    this.#partOf(channel).refused = { code, message };
  }

  #subscribed(
    channel: string,
    { epoch = '', offset = 0, recovered, recoverable, publications }: SubscribeResult,
  ): void {
    const part = this.#partOf(channel);
    if (recoverable !== true) return;
    part.position = { epoch, offset };
    part.isGap = recovered !== true && wasAt(this.#opening, channel);
    // A reader that does not know where it stands is told, before it has something to lose.
    if (part.isGap || !this.#knows(channel)) this.#hasNews = true;
    for (const publication of publications ?? []) this.#addPublication(part, publication);
  }

  /** Channels that come with its token may be others each time, as those of guests are: they are no news by themselves. */
  #knows(channel: string): boolean {
    const { resumed, asked } = this.#opening;
    if (resumed === undefined) return false;
    return resumed.has(channel) || ![...asked.values()].includes(channel);
  }

  #addPush({ channel = '', pub, unsubscribe }: Push): void {
    const part = this.#parts.get(channel);
    if (part === undefined) return;
    if (pub !== undefined) this.#addPublication(part, pub);
    if (unsubscribe === undefined) return;
    this.#hasNews = true;
    // It comes back with its position, and recovers; one that is not to, is told.
    if (unsubscribe.code < unsubscribes.insufficientState.code) part.unsubscribed = unsubscribe;
    part.isFull = true;
  }

  #addPublication(part: ChannelPart, publication: Publication): void {
    if (part.isFull) return;
    const bytes = encodePublication(publication);
    if (part.position === undefined) {
      this.#addLive(part, bytes);
      return;
    }
    if (this.#bytes > 0 && this.#bytes + bytes.length > answerBytesMax) {
      part.isFull = true;
      return;
    }
    const { offset, epoch = part.position.epoch } = publication;
    if (offset !== undefined) part.position = { epoch, offset };
    part.publications.push(bytes);
    this.#bytes += bytes.length;
    this.#hasNews = true;
  }

  /** The largest channel yields its oldest: a flooded one does not push out a quiet one, and the newest stays. */
  #addLive(part: ChannelPart, bytes: Uint8Array): void {
    this.#hasNews = true;
    part.publications.push(bytes);
    part.liveBytes += bytes.length + publicationBytes;
    this.#liveBytes += bytes.length + publicationBytes;
    while (this.#liveBytes > answerLiveBytesMax) {
      const largest = this.#largestLive();
      const oldest = largest?.publications.shift();
      if (largest === undefined || oldest === undefined) return;
      largest.skipped += 1;
      largest.liveBytes -= oldest.length + publicationBytes;
      this.#liveBytes -= oldest.length + publicationBytes;
    }
  }

  /** Of those with more than one publication: one always fits. */
  #largestLive(): ChannelPart | undefined {
    let largest: ChannelPart | undefined;
    for (const part of this.#parts.values()) {
      if (part.publications.length > 1 && part.liveBytes > (largest?.liveBytes ?? 0)) largest = part;
    }
    return largest;
  }

  #partOf(channel: string): ChannelPart {
    let part = this.#parts.get(channel);
    if (part === undefined) {
      part = { position: undefined, isGap: false, publications: [], liveBytes: 0, skipped: 0, isFull: false };
      this.#parts.set(channel, part);
    }
    return part;
  }
}

const connectId = 1;
const comma = Buffer.from(',');

function factsOf({ position, isGap, refused, unsubscribed, skipped }: ChannelPart): object {
  if (refused !== undefined) return { refused };
  return {
    recoverable: position !== undefined,
    ...position,
    ...(isGap ? { gap: true } : {}),
    ...(skipped === 0 ? {} : { skipped }),
    ...(unsubscribed === undefined ? {} : { unsubscribed }),
  };
}

import {
  isReconnectCode,
  unsubscribes,
  type ClientInfo,
  type Position,
  type Publication,
  type Push,
  type Reply,
  type SubscribeResult,
} from '@tutti/protocol';
import { encodePublication, jsonCodec } from '@tutti/protocol/json';
import type { OutboundFrame, UpgradeRefusal } from '../transport.ts';
import { repliesOf } from './frame-replies.ts';
import { eventOf, type Framing } from './framing.ts';
import { eventId, positionsMax } from './positions.ts';
import { refusalOf, refusalOfClose, retryOf } from './refusals.ts';
import { wasAt, type UniOpening } from './uni-opening.ts';

const payloads = new WeakMap<Publication, Uint8Array>();

const ping = Buffer.from(':\n\n');

/** Browsers wait 3 s unless told; everybody the same, which would be a storm. */
const returnMinMs = 1_000;
const returnSpreadMs = 2_000;

/**
 * Frames of a session as events of a plain reader: a publication is an event with its channel, and its
 * id is where the stream stands in all of its channels, so that the reader's own way of coming back
 * (`Last-Event-ID`) misses nothing. One for each connection, because of those positions.
 */
export class UniFraming implements Framing {
  readonly codec: typeof jsonCodec = jsonCodec;
  readonly contentType = 'text/event-stream';
  readonly #opening: UniOpening;
  readonly #chance: number;
  readonly #positions = new Map<string, Position>();
  #isOver = false;

  constructor(opening: UniOpening, chance: number) {
    this.#opening = opening;
    this.#chance = chance;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** A reader that is refused is told by the status of the response: it then does not come back by itself. */
  verdict(of: OutboundFrame | { code: number; reason: string }): 'open' | 'wait' | UpgradeRefusal {
    if ('code' in of) return refusalOfClose(of.code, of.reason);
    const answer = repliesOf(of).find(({ error, connect }) => error !== undefined || connect !== undefined);
    if (answer === undefined) return 'wait';
    return answer.connect === undefined && answer.error !== undefined ? refusalOf(answer.error) : 'open';
  }

  opening(): Uint8Array {
    const retryMs = Math.round(returnMinMs + this.#chance * returnSpreadMs);
    return Buffer.from(`retry: ${retryMs}\n\n`);
  }

  wrap(frame: OutboundFrame): Uint8Array {
    return Buffer.concat(repliesOf(frame).flatMap((reply) => this.#eventsOf(reply)));
  }

  closing(code: number, reason: string): Uint8Array {
    const wait = retryOf(reason);
    const retry = wait === undefined ? '' : `retry: ${wait}\n`;
    return this.#event('disconnect', { code, reason, reconnect: isReconnectCode(code) }, retry);
  }

  #eventsOf(reply: Reply): Uint8Array[] {
    if (reply.push !== undefined) return this.#eventsOfPush(reply.push);
    if (reply.connect !== undefined) {
      return Object.entries(reply.connect.subs ?? {}).flatMap(([channel, result]) => this.#subscribed(channel, result));
    }
    const channel = this.#opening.asked.get(reply.id ?? 0);
    if (channel === undefined) return Object.keys(reply).length === 0 ? [ping] : [];
    if (reply.error !== undefined) {
      const { code, message } = reply.error;
      return [this.#event('refused', { channel, code, message })];
    }
    return reply.subscribe === undefined ? [] : this.#subscribed(channel, reply.subscribe);
  }

  /** Begins with an id, so that what comes before the first publication is not missed either. */
  #subscribed(channel: string, result: SubscribeResult): Uint8Array[] {
    const { epoch = '', offset = 0, recovered = false, publications = [] } = result;
    if (result.recoverable !== true) return [];
    this.#stand(channel, { epoch, offset });
    const missed = publications.map((publication) => this.#publication(channel, publication));
    const isGap = !recovered && wasAt(this.#opening, channel);
    return [isGap ? this.#event('gap', { channel, epoch, offset }) : this.#idAlone(), ...missed];
  }

  #eventsOfPush(push: Push): Uint8Array[] {
    const { channel = '' } = push;
    if (push.pub !== undefined) return [this.#publication(channel, push.pub)];
    if (push.join !== undefined) return [this.#event('join', { channel, ...infoOf(push.join) })];
    if (push.leave !== undefined) return [this.#event('leave', { channel, ...infoOf(push.leave) })];
    if (push.unsubscribe !== undefined) {
      // The reader comes back with its position, and recovers; one that is not to, has none any more.
      if (push.unsubscribe.code >= unsubscribes.insufficientState.code) this.#isOver = true;
      else this.#positions.delete(channel);
      return [this.#event('unsubscribed', { channel, ...push.unsubscribe })];
    }
    return [];
  }

  #publication(channel: string, publication: Publication): Uint8Array {
    const { offset, epoch } = publication;
    const epochNow = epoch ?? this.#positions.get(channel)?.epoch;
    if (offset !== undefined && epochNow !== undefined) this.#stand(channel, { epoch: epochNow, offset });
    let bytes = payloads.get(publication);
    if (bytes === undefined) {
      bytes = encodePublication({ ...publication, channel });
      payloads.set(publication, bytes);
    }
    return eventOf(bytes, Buffer.from(this.#idLine()));
  }

  #event(name: string, data: object, fields = ''): Uint8Array {
    const bytes = Buffer.from(JSON.stringify(data));
    return eventOf(bytes, Buffer.from(`${this.#idLine()}${fields}event: ${name}\n`));
  }

  #idAlone(): Uint8Array {
    return Buffer.from(`${this.#idLine()}\n`);
  }

  #stand(channel: string, position: Position): void {
    if (this.#positions.has(channel) || this.#positions.size < positionsMax) this.#positions.set(channel, position);
  }

  #idLine(): string {
    return this.#positions.size === 0 ? '' : `id: ${eventId(this.#positions)}\n`;
  }
}

function infoOf({ info }: { readonly info: ClientInfo }): object {
  const { user, client, conn_info: connInfo, chan_info: chanInfo } = info;
  return {
    user,
    client,
    ...(connInfo === undefined ? {} : { conn_info: parsed(connInfo) }),
    ...(chanInfo === undefined ? {} : { chan_info: parsed(chanInfo) }),
  };
}

/** It was checked when it came in. */
function parsed(payload: Uint8Array): unknown {
  return JSON.parse(Buffer.from(payload).toString());
}

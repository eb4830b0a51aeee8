import { Rejection, rejections, unsubscribes, disconnects, type DisconnectKind } from '@tutti/protocol';
import { bodyBytesMax } from '../cluster/control-bus.ts';
import type { Peers } from '../cluster/peers.ts';
import { matchesPattern } from '../config/channel-pattern.ts';
import {
  readChannels,
  readConnections,
  readQuestion,
  readSteered,
  writtenQuestion,
  writtenSteered,
  type ChannelFilter,
  type DirectoryQuestion,
  type Steered,
} from './directory-questions.ts';
import type { ConnectionFacts, Directory, Page, PageQuery, Whose } from './directory.ts';
import { rejectionOf } from './rejection-of.ts';
import type { ServerSubscription } from './server-subscribing.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

/** What came of something over all nodes. */
export interface Reached {
  /** Connections that it concerned. */
  readonly count: number;
  /** Names of nodes that did not answer in time: what they have is not in it, and may not have been done there. */
  readonly silent: readonly string[];
}

export type ClusterPage<Item> = Page<Item> & Pick<Reached, 'silent'>;

const topic = 'directory';

/** Who is connected to any node and to what. Each node looks after its own, and is asked. */
export class ClusterDirectory {
  readonly #local: Directory;
  readonly #peers: Peers;
  readonly #telemetry: Telemetry;

  constructor(local: Directory, { peers, telemetry }: { peers: Peers; telemetry: Telemetry }) {
    this.#local = local;
    this.#peers = peers;
    this.#telemetry = telemetry;
    peers.answer(topic, readQuestion, (question) => this.#answer(question));
  }

  /** Ends connections, but for the clients in `except`. */
  disconnect(
    whose: Whose,
    kind: DisconnectKind = disconnects.forceDisconnect,
    except: readonly string[] = [],
  ): Promise<Reached> {
    return this.#steer({ verb: 'disconnect', whose, kind, except });
  }

  /** Ends subscriptions to a channel, named as in the tenant. */
  unsubscribe(whose: Whose, name: string, kind: DisconnectKind = unsubscribes.server): Promise<Reached> {
    return this.#steer({ verb: 'unsubscribe', whose, name, kind });
  }

  /** Subscribes connections to a channel. Throws what one of them was refused with, on whichever node. */
  subscribe(whose: Whose, name: string, wanted: ServerSubscription): Promise<Reached> {
    return this.#steer({ verb: 'subscribe', whose, name, wanted });
  }

  /** Moves the end of connections' credentials to another time. */
  refresh(whose: Whose, expiresAtMs: number, info?: Uint8Array): Promise<Reached> {
    return this.#steer({ verb: 'refresh', whose, expiresAtMs, ...(info === undefined ? {} : { info }) });
  }

  /** By client id, over all nodes. */
  async connections(
    query: PageQuery,
    whose: Pick<Whose, 'tenant' | 'user'> = {},
  ): Promise<ClusterPage<ConnectionFacts>> {
    const question = { verb: 'connections', whose, query } as const;
    const { answers, silent } = await this.#peers.survey(topic, question, readConnections);
    const pages = [this.#local.connections(query, whose), ...answers.map(({ answer }) => answer)];
    return { ...merged(pages, query.limit, (one) => one), silent };
  }

  /** By name, with the subscriptions of all nodes. */
  async channels(query: PageQuery, filter: ChannelFilter, tenant = ''): Promise<ClusterPage<number>> {
    const question = { verb: 'channels', query, filter, tenant } as const;
    const { answers, silent } = await this.#peers.survey(topic, question, readChannels);
    const pages = [this.#channels(query, filter, tenant), ...answers.map(({ answer }) => answer)];
    return { ...merged(pages, query.limit, (one, other) => one + other), silent };
  }

  async #steer(question: Exclude<DirectoryQuestion, { verb: 'connections' | 'channels' }>): Promise<Reached> {
    const asked = writtenQuestion(question);
    this.#mustCarry(asked);
    const there = this.#peers.survey(topic, asked, readSteered);
    const [here, { answers, silent }] = await Promise.all([this.#do(question), there]);
    const all = [here, ...answers.map(({ answer }) => answer)];
    const refusal = all.find((one) => one.refusal !== undefined)?.refusal;
    if (refusal !== undefined) throw refusal;
    return { count: all.reduce((sum, one) => sum + one.count, 0), silent };
  }

  /** Asked before anything is done, so that it is done everywhere or nowhere. Throws `Rejection`. */
  #mustCarry(asked: unknown): void {
    if (this.#peers.others.length === 0 || Buffer.byteLength(JSON.stringify(asked)) <= bodyBytesMax) return;
    const message = `the other nodes can be told ${bodyBytesMax} bytes: less data, or fewer clients to spare`;
    throw new Rejection(rejections.limitExceeded, message);
  }

  async #answer(question: DirectoryQuestion): Promise<unknown> {
    if (question.verb === 'connections') return this.#local.connections(question.query, question.whose);
    if (question.verb === 'channels') return this.#channels(question.query, question.filter, question.tenant);
    const steered = await this.#do(question).catch((error: unknown): Steered => {
      const refusal = rejectionOf(error, { telemetry: this.#telemetry });
      if (refusal === undefined) throw error;
      return { count: 0, refusal };
    });
    return writtenSteered(steered);
  }

  /** Begins in this turn. Throws what the directory throws but for rejections, which are told. */
  async #do(question: Exclude<DirectoryQuestion, { verb: 'connections' | 'channels' }>): Promise<Steered> {
    const { whose } = question;
    switch (question.verb) {
      case 'disconnect':
        return { count: this.#local.disconnect(whose, question.kind, question.except) };
      case 'unsubscribe':
        return { count: this.#local.unsubscribe(whose, question.name, question.kind) };
      case 'refresh':
        return { count: this.#local.refresh(whose, question.expiresAtMs, question.info) };
      case 'subscribe':
        try {
          await this.#local.subscribe(whose, question.name, question.wanted);
          return { count: 0 };
        } catch (error) {
          if (error instanceof Rejection) return { count: 0, refusal: error };
          throw error;
        }
    }
  }

  #channels(query: PageQuery, { pattern, within }: ChannelFilter, tenant: string): Page<number> {
    const isAsked = (name: string): boolean =>
      matchesPattern(pattern, name) && (within === undefined || within.some((each) => matchesPattern(each, name)));
    return this.#local.channels(query, isAsked, tenant);
  }
}

/**
 * Each page has its node's first items, so the first of all of them are complete: of a key that is among
 * those, no node has left out its part.
 */
function merged<Item>(pages: readonly Page<Item>[], limit: number, add: (one: Item, other: Item) => Item): Page<Item> {
  const all = new Map<string, Item>();
  for (const [key, item] of pages.flatMap(({ items }) => items)) {
    const had = all.get(key);
    all.set(key, had === undefined ? item : add(had, item));
  }
  const sorted = [...all].sort(([a], [b]) => (a < b ? -1 : 1));
  return { items: sorted.slice(0, limit), hasMore: sorted.length > limit || pages.some(({ hasMore }) => hasMore) };
}

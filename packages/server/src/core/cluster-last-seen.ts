import { Rejection, rejections } from '@tutti/protocol';
import { BadMessage, MessageFields, textItem } from '../cluster/message-fields.ts';
import type { Peers } from '../cluster/peers.ts';
import { seenReadMax, type LastSeen, type SeenEntry, type UserName } from '../last-seen/last-seen.ts';
import type { Clock } from './clock.ts';
import type { SeenHere, SeenUsers } from './seen-users.ts';

export interface UserSeen {
  readonly isOnline: boolean;
  /** Of one that is not online: milliseconds since 1970. Absent: never seen, or forgotten. */
  readonly lastSeenMs?: number;
}

export interface SeenAnswer {
  /** In the order in which they were asked for. */
  readonly users: readonly UserSeen[];
  /** Names of nodes that did not answer in time: who is connected there may be missing. */
  readonly silent: readonly string[];
}

const topics = { ask: 'last-seen', forget: 'last-seen-forget' } as const;
/** Characters of the names in one question, as JSON: well within a control message. */
const questionSizeMax = 64 * 1024;

/**
 * Who is connected to any node, and who was when. Nodes are asked first and the store afterwards: what a node
 * has written meanwhile the store has by then.
 */
export class ClusterLastSeen {
  readonly #local: SeenUsers;
  readonly #store: LastSeen;
  readonly #peers: Peers;
  readonly #clock: Clock;

  constructor(local: SeenUsers, { store, peers, clock }: { store: LastSeen; peers: Peers; clock: Clock }) {
    this.#local = local;
    this.#store = store;
    this.#peers = peers;
    this.#clock = clock;
    peers.answer(topics.ask, readQuestion, (users) => users.map((user) => written(local.seen(user))));
    peers.answer(topics.forget, readQuestion, async (users) => {
      await Promise.all(users.map((user) => local.forget(user)));
      return true;
    });
  }

  /** Throws `Fault`. */
  async of(tenant: string, users: readonly string[]): Promise<SeenAnswer> {
    const parts = partsOf(users);
    const answers = await Promise.all(parts.map((part) => this.#ofSome(tenant, part)));
    const silent = new Set(answers.flatMap((answer) => answer.silent));
    return { users: answers.flatMap((answer) => answer.users), silent: [...silent] };
  }

  /** Nothing is kept of the user any more; of one who is connected it begins anew. Throws `Fault`. */
  async forget(tenant: string, user: string): Promise<Pick<SeenAnswer, 'silent'>> {
    const name = { tenant, user };
    const [{ silent }] = await Promise.all([
      this.#peers.survey(topics.forget, { tenant, users: [user] }, () => true),
      this.#local.forget(name),
    ]);
    await this.#store.forget(name);
    return { silent };
  }

  async #ofSome(tenant: string, users: readonly string[]): Promise<SeenAnswer> {
    const names = users.map((user): UserName => ({ tenant, user }));
    const read = (value: unknown): readonly SeenHere[] => readAnswer(value, users.length);
    const { answers, silent } = await this.#peers.survey(topics.ask, { tenant, users }, read);
    const here = [names.map((name) => this.#local.seen(name)), ...answers.map(({ answer }) => answer)];
    const answered = new Set([this.#peers.self, ...answers.map(({ peer }) => peer)].map((peer) => peer.incarnation));
    const kept = await this.#store.read(names);
    const nowMs = this.#clock.now();
    const seen = names.map((_, i): UserSeen => {
      const told = here.map((each) => each[i]);
      if (told.some((each) => each?.isHere === true)) return { isOnline: true };
      const moments = [...told.map((each) => each?.leftAtMs ?? 0), momentOf(kept[i], answered)];
      // Another node's clock may be ahead: nobody was seen in the future.
      const latestMs = Math.min(nowMs, Math.max(...moments));
      return latestMs > 0 ? { isOnline: false, lastSeenMs: latestMs } : { isOnline: false };
    });
    return { users: seen, silent };
  }
}

/** Throws `Rejection` where the node keeps no such thing. */
export function mustKeepLastSeen(asked: ClusterLastSeen | undefined): ClusterLastSeen {
  if (asked !== undefined) return asked;
  throw new Rejection(
    rejections.notAvailable,
    'not available: last seen (option lastSeenTtl, or an engine that keeps none)',
  );
}

/** A node that answered knows better than the store whether the user is there; of one that is gone the store knows when it was last alive. */
function momentOf(entry: SeenEntry | undefined, answered: ReadonlySet<string>): number {
  if (entry === undefined) return 0;
  const alive = entry.nodes.filter(({ node }) => !answered.has(node)).map(({ aliveAtMs }) => aliveAtMs);
  return Math.max(entry.atMs, ...alive);
}

function partsOf(users: readonly string[]): (readonly string[])[] {
  const parts: string[][] = [];
  let size = Infinity;
  for (const user of users) {
    const own = JSON.stringify(user).length;
    if (size + own > questionSizeMax || (parts.at(-1)?.length ?? 0) >= seenReadMax) {
      parts.push([]);
      size = 0;
    }
    parts.at(-1)?.push(user);
    size += own;
  }
  return parts;
}

/** As JSON carries it: -1 is here, 0 nothing known, else when the user left. */
function written({ isHere, leftAtMs = 0 }: SeenHere): number {
  return isHere ? -1 : leftAtMs;
}

function readAnswer(value: unknown, count: number): readonly SeenHere[] {
  if (!Array.isArray(value) || value.length !== count)
    throw new BadMessage('the answer is not as long as the question');
  return value.map((each: unknown): SeenHere => {
    if (typeof each !== 'number' || !Number.isFinite(each)) throw new BadMessage('an item is no number');
    return each < 0 ? { isHere: true } : { isHere: false, ...(each > 0 ? { leftAtMs: each } : {}) };
  });
}

/** Throws `BadMessage`. */
function readQuestion(value: unknown): readonly UserName[] {
  const fields = new MessageFields(value);
  const tenant = fields.text('tenant');
  return fields.list('users', (user) => ({ tenant, user: textItem(user) }));
}

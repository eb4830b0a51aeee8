import type { ClientInfo } from '@tutti/protocol';
import type { Peer, Peers } from '../cluster/peers.ts';
import type { Clock, Timer } from '../core/clock.ts';
import { Members } from './members.ts';
import { OwnMembers } from './own-members.ts';
import { infoBytes, readPresenceMessage, written, type PresenceMessage } from './presence-messages.ts';
import type { MemberPage, MemberQuery, Presence, PresenceEvents, PresenceStats } from './presence.ts';
import { askAgainMs, Replica, type Ask } from './replica.ts';

/** Changes are told together, so that a storm of connections costs few messages. */
const tellAfterMs = 50;
/** Bytes of `conn_info` and `chan_info` that members are shown with; of one that has more, none are shown. */
const infoBytesMax = 32 * 1024;
/** A node that starts waits for so long for the first heartbeats, and then for what they say is missing. */
const heartbeatsWithinMs = 250;
const settledWithinMs = 5_000;
const settleCheckMs = 25;

/**
 * Presence of a cluster: each node owns the members whose connections it has, tells the others what
 * changes, and keeps a copy of theirs. Asking costs no message. A node that is gone takes its members along.
 * Bound: the members of all nodes (docs/decisions/0014-cluster-presence.md).
 */
export class ReplicatedPresence implements Presence {
  readonly #peers: Peers;
  readonly #clock: Clock;
  readonly #topic: string;
  readonly #members = new Members();
  readonly #own = new OwnMembers();
  readonly #self: string;
  /** By incarnation. */
  readonly #replicas = new Map<string, { peer: Peer; replica: Replica }>();
  /** Who is being sent everything now: one at a time for each. */
  readonly #snapshots = new Set<string>();
  #tellTimer: Timer | undefined;
  #overdueTimer: Timer | undefined;
  #isClosed = false;

  /** `topic`: of its messages; for another presence beside that of users. */
  constructor({ peers, clock, topic = 'presence' }: { peers: Peers; clock: Clock; topic?: string }) {
    this.#peers = peers;
    this.#clock = clock;
    this.#topic = topic;
    this.#self = peers.self.incarnation;
    peers.hear(topic, readPresenceMessage, (from, message) => {
      this.#heard(from, message);
    });
    peers.beat(topic, () => {
      // What it says has to have been told before it.
      this.#tell();
      return this.#own.digest;
    });
    peers.watch({
      down: ({ incarnation }) => {
        this.#replicas.get(incarnation)?.replica.drop();
        this.#replicas.delete(incarnation);
        this.#snapshots.delete(incarnation);
      },
    });
  }

  start(events: PresenceEvents): Promise<void> {
    this.#members.events = events;
    this.#scheduleOverdue();
    return Promise.resolve();
  }

  /** Resolves when this node has what the others said they have, or after a while: for a node that starts. */
  async settled(): Promise<void> {
    await this.#after(heartbeatsWithinMs);
    const untilMs = this.#clock.monotonic() + settledWithinMs;
    const isSettled = (): boolean => [...this.#replicas.values()].every(({ replica }) => replica.isWhole);
    while (!isSettled() && this.#clock.monotonic() < untilMs && !this.#isClosed) await this.#after(settleCheckMs);
  }

  add(channel: string, full: ClientInfo): Promise<void> {
    const member = infoBytes(full) <= infoBytesMax ? full : { user: full.user, client: full.client };
    const before = this.#members.get(channel, member.client, this.#self);
    this.#own.joined(channel, member, before);
    this.#members.add(channel, member, this.#self);
    this.#tellSoon();
    return Promise.resolve();
  }

  remove(channel: string, client: string): Promise<void> {
    const member = this.#members.remove(channel, client, this.#self);
    if (member === undefined) return Promise.resolve();
    this.#own.left(channel, member);
    this.#tellSoon();
    return Promise.resolve();
  }

  members(channel: string): Promise<readonly ClientInfo[]> {
    return Promise.resolve(this.#members.list(channel));
  }

  page(channel: string, query: MemberQuery): Promise<MemberPage> {
    return Promise.resolve(this.#members.page(channel, query));
  }

  stats(channel: string): Promise<PresenceStats> {
    return Promise.resolve(this.#members.stats(channel));
  }

  close(): Promise<void> {
    this.#tell();
    this.#isClosed = true;
    this.#overdueTimer?.cancel();
    this.#members.events = { join: () => undefined, leave: () => undefined };
    this.#members.clear();
    return Promise.resolve();
  }

  #heard(from: Peer, message: PresenceMessage): void {
    if (this.#isClosed) return;
    if (message.kind === 'ask') {
      this.#answer(from, message);
      return;
    }
    const { replica } = this.#replicaOf(from);
    const now = this.#clock.monotonic();
    if (message.kind === 'changes') this.#ask(from, replica.changes(message.first, message.changes, now));
    else if (message.kind === 'digest') this.#ask(from, replica.digest(message.version, message.digest, now));
    else this.#ask(from, replica.page(message, now));
  }

  #ask(peer: Peer, ask: Ask | undefined): void {
    if (ask !== undefined) this.#peers.tellOne(peer, this.#topic, written({ kind: 'ask', ...ask }));
  }

  #answer(to: Peer, { since, whole }: Ask): void {
    const missed = whole ? undefined : this.#own.changesSince(since);
    if (missed === undefined) {
      this.#sendSnapshot(to);
      return;
    }
    for (const batch of missed) this.#peers.tellOne(to, this.#topic, written(batch));
  }

  /** A page in each turn of the loop: everything at once would hold up the others (S22). */
  #sendSnapshot(to: Peer): void {
    if (this.#snapshots.has(to.incarnation)) return;
    this.#snapshots.add(to.incarnation);
    const pages = this.#own.snapshot(this.#members.ownedBy(this.#self));
    const next = (): void => {
      if (this.#isClosed || !this.#snapshots.has(to.incarnation)) return;
      const page = pages.next();
      if (page.done === true) {
        this.#snapshots.delete(to.incarnation);
        return;
      }
      this.#peers.tellOne(to, this.#topic, written(page.value));
      this.#clock.soon(next);
    };
    next();
  }

  #replicaOf(peer: Peer): { peer: Peer; replica: Replica } {
    let known = this.#replicas.get(peer.incarnation);
    if (known === undefined) {
      known = { peer, replica: new Replica(peer.incarnation, this.#members) };
      this.#replicas.set(peer.incarnation, known);
    }
    return known;
  }

  #tellSoon(): void {
    this.#tellTimer ??= this.#clock.after(tellAfterMs, () => {
      this.#tell();
    });
  }

  #tell(): void {
    this.#tellTimer?.cancel();
    this.#tellTimer = undefined;
    if (!this.#own.hasUntold) return;
    const batches = this.#own.takeUntold();
    // Whoever comes later learns of them by the digest.
    if (this.#peers.others.length === 0) return;
    for (const batch of batches) this.#peers.tell(this.#topic, written(batch));
  }

  #scheduleOverdue(): void {
    this.#overdueTimer = this.#clock.after(askAgainMs, () => {
      const now = this.#clock.monotonic();
      for (const { peer, replica } of this.#replicas.values()) this.#ask(peer, replica.overdue(now));
      this.#scheduleOverdue();
    });
  }

  #after(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#clock.after(ms, resolve);
    });
  }
}

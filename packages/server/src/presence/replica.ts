import type { ClientInfo } from '@tutti/protocol';
import { Digest } from './digest.ts';
import type { Members } from './members.ts';
import type { Change, PresenceMessage } from './presence-messages.ts';

export interface Ask {
  readonly since: number;
  readonly whole: boolean;
}

/** Changes that came before those that belong ahead of them. */
const aheadMax = 8_192;

/** Without news for so long the question is repeated: it, or the answer, was lost. */
export const askAgainMs = 2_000;

/** A snapshot of which not all pages are here yet. */
interface Staging {
  readonly version: number;
  readonly pages: number;
  readonly arrived: Map<number, readonly { channel: string; member: ClientInfo }[]>;
}

/**
 * What this node knows of another's members. Contract: once messages get through, it is equal to the
 * owner's own (PRE-3), whatever was lost, repeated or overtaken before; until then it is equal to what
 * the owner's was at some version. Pure: time comes in, and what is to be asked is returned.
 */
export class Replica {
  readonly #owner: string;
  readonly #members: Members;
  #digest = new Digest();
  #version = 0;
  /** By the version that their first change makes. */
  readonly #ahead = new Map<number, readonly Change[]>();
  #aheadCount = 0;
  #staging: Staging | undefined;
  #askedAtMs: number | undefined;
  /** The newest version of the owner that this node has heard of. */
  #newest = 0;

  constructor(owner: string, members: Members) {
    this.#owner = owner;
    this.#members = members;
  }

  get version(): number {
    return this.#version;
  }

  get isWhole(): boolean {
    return this.#version >= this.#newest && this.#staging === undefined;
  }

  /** Returns what the owner is to be asked. */
  changes(first: number, changes: readonly Change[], nowMs: number): Ask | undefined {
    this.#newest = Math.max(this.#newest, first + changes.length - 1);
    if (first > this.#version + 1) {
      this.#keepAhead(first, changes);
      return this.#ask(nowMs);
    }
    this.#apply(first, changes);
    this.#applyAhead();
    if (this.#version < this.#newest) return this.#ask(nowMs);
    this.#askedAtMs = undefined;
    return undefined;
  }

  /** Where the owner is: reveals what was lost last, and, should they ever differ, a mistake. */
  digest(version: number, digest: string, nowMs: number): Ask | undefined {
    this.#newest = Math.max(this.#newest, version);
    if (version > this.#version) return this.#ask(nowMs);
    if (version < this.#version || digest === this.#digest.text) return undefined;
    return this.#ask(nowMs, true);
  }

  page({ version, page, pages, members }: PresenceMessage & { kind: 'page' }, nowMs: number): Ask | undefined {
    if (version < this.#version || version < (this.#staging?.version ?? 0)) return undefined;
    if (this.#staging?.version !== version || this.#staging.pages !== pages)
      this.#staging = { version, pages, arrived: new Map() };
    this.#staging.arrived.set(page, members);
    // It goes on, however long it takes.
    this.#askedAtMs = nowMs;
    if (this.#staging.arrived.size < pages) return undefined;
    this.#replace([...this.#staging.arrived.values()].flat(), version);
    this.#staging = undefined;
    this.#askedAtMs = undefined;
    this.#applyAhead();
    return this.#version < this.#newest ? this.#ask(nowMs) : undefined;
  }

  /** Nothing was heard for a while: asks again where something is still missing. */
  overdue(nowMs: number): Ask | undefined {
    return this.isWhole ? undefined : this.#ask(nowMs);
  }

  /** The owner is gone, and its members with it. */
  drop(): void {
    for (const { channel, member } of this.#members.ownedBy(this.#owner)) {
      this.#members.remove(channel, member.client, this.#owner);
    }
  }

  #ask(nowMs: number, whole = false): Ask | undefined {
    if (this.#askedAtMs !== undefined && nowMs - this.#askedAtMs < askAgainMs) return undefined;
    this.#askedAtMs = nowMs;
    this.#staging = undefined;
    // Who has nothing asks for who is there. The changes that led there would be told as if they happened now: all who
    // came and went since the owner started, each time that the owner was taken for gone and is back.
    return { since: this.#version, whole: whole || this.#version === 0 };
  }

  #apply(first: number, changes: readonly Change[]): void {
    for (const [index, change] of changes.entries()) {
      if (first + index !== this.#version + 1) continue;
      if (change.kind === 'join') this.#join(change.channel, change.member);
      else this.#leave(change.channel, change.client);
      this.#version += 1;
    }
  }

  #applyAhead(): void {
    for (const [first, changes] of [...this.#ahead].sort(([a], [b]) => a - b)) {
      if (first > this.#version + 1) return;
      this.#ahead.delete(first);
      this.#aheadCount -= changes.length;
      this.#apply(first, changes);
    }
  }

  #keepAhead(first: number, changes: readonly Change[]): void {
    if (this.#ahead.has(first) || this.#aheadCount + changes.length > aheadMax) return;
    this.#ahead.set(first, changes);
    this.#aheadCount += changes.length;
  }

  #replace(members: readonly { channel: string; member: ClientInfo }[], version: number): void {
    const stay = new Set(members.map(({ channel, member }) => key(channel, member.client)));
    for (const { channel, member } of this.#members.ownedBy(this.#owner)) {
      if (!stay.has(key(channel, member.client))) this.#members.remove(channel, member.client, this.#owner);
    }
    this.#digest = new Digest();
    for (const { channel, member } of members) {
      this.#members.add(channel, member, this.#owner);
      this.#digest.toggle(channel, member);
    }
    this.#version = version;
  }

  #join(channel: string, member: ClientInfo): void {
    const before = this.#members.get(channel, member.client, this.#owner);
    if (before !== undefined) this.#digest.toggle(channel, before);
    this.#digest.toggle(channel, member);
    this.#members.add(channel, member, this.#owner);
  }

  #leave(channel: string, client: string): void {
    const member = this.#members.remove(channel, client, this.#owner);
    if (member !== undefined) this.#digest.toggle(channel, member);
  }
}

/** No channel name has a line break. */
function key(channel: string, client: string): string {
  return `${channel}\n${client}`;
}

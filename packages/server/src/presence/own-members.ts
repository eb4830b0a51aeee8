import type { ClientInfo } from '@tutti/protocol';
import { Digest } from './digest.ts';
import { changeSize, type Change, type PresenceMessage } from './presence-messages.ts';

/** Changes kept for nodes that missed some; who missed more gets everything. */
const changesKeptMax = 4_096;
/** Characters of one batch or page, roughly: well within a control message. */
const batchSizeMax = 96 * 1024;

type Changes = PresenceMessage & { kind: 'changes' };
type Page = PresenceMessage & { kind: 'page' };

/**
 * This node's own members, as a history that others can follow: each change makes the next version, and a
 * digest says what the newest comes to. Pure: what is to be said is returned, and said by the caller.
 */
export class OwnMembers {
  readonly #digest = new Digest();
  /** The newest changes, the last of which made `#version`. */
  #kept: Change[] = [];
  #version = 0;
  /** The newest version that was told to everybody. */
  #told = 0;

  get version(): number {
    return this.#version;
  }

  get digest(): PresenceMessage {
    return { kind: 'digest', version: this.#version, digest: this.#digest.text };
  }

  get hasUntold(): boolean {
    return this.#told < this.#version;
  }

  /** `before`: what the member was until now, where it is none new. */
  joined(channel: string, member: ClientInfo, before: ClientInfo | undefined): void {
    if (before !== undefined) this.#digest.toggle(channel, before);
    this.#digest.toggle(channel, member);
    this.#changed({ kind: 'join', channel, member });
  }

  left(channel: string, member: ClientInfo): void {
    this.#digest.toggle(channel, member);
    this.#changed({ kind: 'leave', channel, client: member.client });
  }

  /** What was not told yet, in batches. What is no more kept is told by the digest, and asked for. */
  takeUntold(): Changes[] {
    const batches = this.#since(Math.max(this.#told, this.#version - this.#kept.length));
    this.#told = this.#version;
    this.#trim();
    return batches;
  }

  /** What somebody misses who has everything up to `version`; undefined: no more known, it needs a snapshot. */
  changesSince(version: number): Changes[] | undefined {
    if (version > this.#version || version < this.#version - this.#kept.length) return undefined;
    return this.#since(version);
  }

  /** Everything at this moment, a page at a time: they are made as they are asked for. `members`: all there are. */
  *snapshot(members: readonly { channel: string; member: ClientInfo }[]): Generator<Page, void, void> {
    const version = this.#version;
    const starts = pageStarts(members);
    for (const [page, start] of starts.entries()) {
      yield { kind: 'page', version, page, pages: starts.length, members: members.slice(start, starts[page + 1]) };
    }
  }

  #changed(change: Change): void {
    this.#version += 1;
    this.#kept.push(change);
    // Untold ones go too, beyond twice the bound: nothing that waits may grow without end.
    if (this.#kept.length > 2 * changesKeptMax) this.#trim();
  }

  #trim(): void {
    if (this.#kept.length > changesKeptMax) this.#kept = this.#kept.slice(-changesKeptMax);
  }

  #since(version: number): Changes[] {
    const missed = this.#kept.slice(this.#kept.length - (this.#version - version));
    const batches: Changes[] = [];
    let batch: Change[] = [];
    let size = 0;
    let first = version + 1;
    for (const change of missed) {
      const own = changeSize(change.channel, change.kind === 'join' ? change.member : undefined);
      if (batch.length > 0 && size + own > batchSizeMax) {
        batches.push({ kind: 'changes', first, changes: batch });
        first += batch.length;
        [batch, size] = [[], 0];
      }
      batch.push(change);
      size += own;
    }
    if (batch.length > 0) batches.push({ kind: 'changes', first, changes: batch });
    return batches;
  }
}

/** At least one page: an empty one says that there is nobody. */
function pageStarts(members: readonly { channel: string; member: ClientInfo }[]): number[] {
  const starts = [0];
  let size = 0;
  for (const [index, { channel, member }] of members.entries()) {
    const own = changeSize(channel, member);
    if (size > 0 && size + own > batchSizeMax) {
      starts.push(index);
      size = 0;
    }
    size += own;
  }
  return starts;
}

import type { Position, Publication } from '@tutti/protocol';

/** What to do with a publication: `gap` means that one or more before it are missing. */
export type Verdict = 'deliver' | 'drop' | 'gap';

/**
 * How far one subscription has come in its channel (DEL-1, DEL-2).
 *
 * Example: at offset 7 of epoch `a`, offset 8 is delivered, 7 is dropped as a repeat, and 9 is a
 * gap: 8 is missing, and 9 is not shown before it. 9 with `skipped: 3` is delivered: the server
 * says that it stands for 8 as well.
 */
export class Progress {
  /** The last publication seen; undefined where the channel has no positions. */
  position: Position | undefined;

  /**
   * Judges one publication, and advances when it is to be delivered. `vouched`: it came with a
   * reply that says `recovered`, so the server has checked that nothing before it is missing
   * (where only the newest value is kept, offsets jump there).
   */
  judge(publication: Publication<unknown>, vouched = false): Verdict {
    const at = this.position;
    const { offset, epoch } = publication;
    if (at === undefined || !offset) return 'deliver';
    // A new epoch begins: whatever was missed belongs to two logs, which only the server can tell apart.
    if (epoch && at.epoch && epoch !== at.epoch) return 'gap';
    if (offset <= at.offset) return 'drop';
    if (offset !== at.offset + 1 && !vouched && !publication.skipped) return 'gap';
    this.position = { offset, epoch: at.epoch };
    return 'deliver';
  }
}

/**
 * Publications may be missing, and the log cannot give them back. Live ones go on from `to`.
 *
 * `reload: 'history'`: the log is the same, but no longer reaches back to `from`; what it still
 * holds can be read with `history({ since: from })`, the rest only from the application's own state.
 * `reload: 'state'`: there is no common log (none is kept, or it was replaced): load everything anew.
 */
export interface Gap {
  readonly channel: string;
  /** The last position seen; undefined where there was none. */
  readonly from: Position | undefined;
  readonly to: Position | undefined;
  /** How many are missing; undefined where that cannot be known. */
  readonly missed: number | undefined;
  readonly reload: 'history' | 'state';
}

/** The gap between two positions; undefined where nothing is missing. */
export function gapBetween(channel: string, from: Position | undefined, to: Position | undefined): Gap | undefined {
  const sameLog = from !== undefined && to !== undefined && from.epoch === to.epoch && to.offset >= from.offset;
  if (!sameLog) return { channel, from, to, missed: undefined, reload: 'state' };
  if (from.offset === to.offset) return undefined;
  return { channel, from, to, missed: to.offset - from.offset, reload: 'history' };
}

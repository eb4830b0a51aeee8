import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { ChannelRow } from './sqlite-channels.ts';

/** Rows one transaction deletes at most: about 10 ms of work. What is left waits for the next. */
export const deletesMax = 1_000;

/**
 * Size and age of what the log keeps.
 *
 * Two steps. What may be read moves at once, as a number in the channel's row (`first`). What takes
 * space follows in bounded portions (`storedFrom`), so that no transaction grows with the past.
 */
export class Retention {
  readonly #selectAlive: StatementSync;
  readonly #deleteRange: StatementSync;
  readonly #channelMetaTtlMs: number;
  #deletesLeft = deletesMax;

  constructor(db: DatabaseSync, channelMetaTtlMs: number) {
    this.#channelMetaTtlMs = channelMetaTtlMs;
    // Answered from the index alone.
    this.#selectAlive = db.prepare(
      'SELECT offset, time FROM publication WHERE channel_id = ? AND offset >= ? AND time > ? ORDER BY offset LIMIT 1',
    );
    this.#selectAlive.setReturnArrays(true);
    this.#deleteRange = db.prepare('DELETE FROM publication WHERE channel_id = ? AND offset >= ? AND offset < ?');
  }

  begin(): void {
    this.#deletesLeft = deletesMax;
  }

  /** After a publication went to `row.top`. */
  appended(row: ChannelRow, atMs: number, retention: { size: number; ttlMs: number }): void {
    const wasEmpty = row.first === row.top;
    // A sooner end of life must be looked at now; a later one only makes an early visit in vain.
    if (wasEmpty) row.dueAt = atMs + retention.ttlMs;
    else if (retention.ttlMs < row.ttlMs) row.dueAt = Math.min(row.dueAt, atMs);
    row.ttlMs = retention.ttlMs;
    row.lastAt = atMs;
    row.first = Math.max(row.first, row.top - retention.size + 1);
  }

  /** The oldest offset that may be read now. */
  firstReadable(row: ChannelRow, nowMs: number): number {
    if (row.dueAt > nowMs || row.first > row.top) return row.first;
    return this.#alive(row, nowMs)?.[0] ?? row.top + 1;
  }

  /** Moves `first` past what is too old, and says when to look again. */
  expire(row: ChannelRow, nowMs: number): void {
    const alive = row.first > row.top ? undefined : this.#alive(row, nowMs);
    row.first = alive?.[0] ?? row.top + 1;
    row.dueAt = alive === undefined ? row.lastAt + this.#channelMetaTtlMs : alive[1] + row.ttlMs;
  }

  /** Deletes what may not be read, within what this transaction may still delete. True: nothing is left to delete. */
  trim(row: ChannelRow, nowMs: number): boolean {
    const until = Math.min(row.first, row.storedFrom + this.#deletesLeft);
    if (until > row.storedFrom) {
      this.#deleteRange.run(row.id, row.storedFrom, until);
      this.#deletesLeft -= until - row.storedFrom;
      row.storedFrom = until;
    }
    const isDone = row.storedFrom === row.first;
    if (!isDone) row.dueAt = Math.min(row.dueAt, nowMs);
    return isDone;
  }

  /** Nothing is kept, and the position is past its time too. */
  isForgettable(row: ChannelRow, nowMs: number): boolean {
    return row.storedFrom > row.top && row.lastAt + this.#channelMetaTtlMs <= nowMs;
  }

  #alive(row: ChannelRow, nowMs: number): [number, number] | undefined {
    return this.#selectAlive.get(row.id, row.first, nowMs - row.ttlMs) as unknown as [number, number] | undefined;
  }
}

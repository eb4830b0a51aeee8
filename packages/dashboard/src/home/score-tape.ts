/** Notes of one column sound together. */
export const columnMs = 300;
/** Places on and between the five lines of a staff, from the bottom: 0–8. */
export const pitches = 9;
/** Notes of a chord; more at once would be a blot. */
const chordMax = 3;
/** Columns kept: more than the widest screen shows. */
const columnsMax = 160;

export type Staff = 0 | 1;

export interface Column {
  /** Time divided by `columnMs`, counted since 1970. */
  readonly index: number;
  /** Bit `n` set: a note at pitch `n`; one number a staff. */
  readonly notes: [number, number];
}

/**
 * The last minute of this page as music: every publication is a note, quantised in time. Constant
 * memory at any rate, because a second note at the same place is the same note.
 */
export class ScoreTape {
  readonly #columns: Column[] = [];
  /** Stretches without a connection, in column positions; an open one has no end. */
  readonly #rests: { from: number; to: number | undefined }[] = [];

  add(staff: Staff, pitch: number, nowMs: number): void {
    const index = Math.floor(nowMs / columnMs);
    let column = this.#columns.at(-1);
    if (column === undefined || column.index < index) {
      column = { index, notes: [0, 0] };
      this.#columns.push(column);
      if (this.#columns.length > columnsMax) this.#columns.shift();
    }
    if (countBits(column.notes[staff]) >= chordMax) return;
    column.notes[staff] |= 1 << Math.max(0, Math.min(pitches - 1, Math.round(pitch)));
  }

  setLinked(isLinked: boolean, nowMs: number): void {
    const at = nowMs / columnMs;
    const last = this.#rests.at(-1);
    if (isLinked && last !== undefined && last.to === undefined) last.to = at;
    if (!isLinked && (last === undefined || last.to !== undefined)) this.#rests.push({ from: at, to: undefined });
    if (this.#rests.length > columnsMax) this.#rests.shift();
  }

  columns(): readonly Column[] {
    return this.#columns;
  }

  rests(): readonly { readonly from: number; readonly to: number | undefined }[] {
    return this.#rests;
  }
}

function countBits(value: number): number {
  let count = 0;
  for (let rest = value; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

/** A place on the staff for a change in percent: the middle line for none, the edges for about three. */
export function pitchOfChange(percent: number): number {
  return Math.max(0, Math.min(pitches - 1, Math.round(4 + percent * 1.4)));
}

/** A place on the staff that is always the same for a text. */
export function pitchOf(text: string): number {
  let hash = 7;
  for (const character of text) hash = (hash * 33 + (character.codePointAt(0) ?? 0)) >>> 0;
  return hash % pitches;
}

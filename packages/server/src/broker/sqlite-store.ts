import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Epochs } from './epochs.ts';
import { ChannelTable, type ChannelRow } from './sqlite-channels.ts';
import {
  outcomeCodes,
  type Page,
  type PublishWrite,
  type Read,
  type Row,
  type Turn,
  type Write,
} from './sqlite-messages.ts';
import { Meta } from './sqlite-meta.ts';
import { deletesMax, Retention } from './sqlite-retention.ts';

/** Channels one sweep looks at. */
const sweptChannelsMax = 200;

export interface LogStoreOptions {
  readonly idempotencyWindowMs: number;
  readonly channelMetaTtlMs: number;
}

/**
 * The log in an open database: what a turn's writes and reads mean. Throws what `node:sqlite`
 * throws; then the transaction is rolled back and the store is as before it.
 */
export class LogStore {
  readonly #options: LogStoreOptions;
  readonly #meta: Meta;
  readonly #channels: ChannelTable;
  readonly #retention: Retention;
  readonly #statements: Statements;
  #epochs: Epochs;

  constructor(db: DatabaseSync, options: LogStoreOptions) {
    this.#options = options;
    this.#meta = new Meta(db);
    this.#channels = new ChannelTable(db);
    this.#retention = new Retention(db, options.channelMetaTtlMs);
    this.#statements = prepare(db);
    this.#epochs = this.#meta.readEpochs();
  }

  get generation(): string {
    return this.#epochs.generation;
  }

  /** All writes of a turn, in order, as one transaction. Three numbers each, see `Turn`. */
  write(turn: Turn): Float64Array {
    return this.#transaction(() => {
      const outcomes = new Float64Array(turn.writes.length * 3);
      let at = 0;
      turn.writes.forEach((write, i) => {
        const end = at + (write.kind === 'publish' ? write.payloadBytes : 0);
        outcomes.set(this.#apply(write, turn.payloads.subarray(at, end)), i * 3);
        at = end;
      });
      for (const row of this.#channels.changed) {
        if (row.dueAt <= turn.nowMs) this.#retention.expire(row, turn.nowMs);
        this.#retention.trim(row, turn.nowMs);
      }
      return outcomes;
    });
  }

  /** One bounded step of forgetting, in a transaction of its own. True: there is more to do now. */
  sweep(nowMs: number): boolean {
    return this.#transaction(() => {
      const due = this.#channels.due(nowMs, sweptChannelsMax);
      let isDone = due.length < sweptChannelsMax;
      for (const row of due) {
        this.#retention.expire(row, nowMs);
        this.#channels.touch(row);
        if (!this.#retention.trim(row, nowMs)) isDone = false;
        else if (this.#retention.isForgettable(row, nowMs)) this.#forget(row);
      }
      const { changes } = this.#statements.deleteOutcomes.run(nowMs, deletesMax);
      return !isDone || Number(changes) === deletesMax;
    });
  }

  read({ channel, since, limit, bytesMax, reverse }: Read, nowMs: number): Page {
    const row = this.#channels.find(channel);
    if (row === undefined) return { top: 0, life: this.#epochs.life, rows: [], bytes: 0 };
    const { top, life } = row;
    const first = this.#retention.firstReadable(row, nowMs);
    const page = (from: number, to: number, statement: StatementSync): Page => {
      const found = from > to ? [] : (statement.iterate(row.id, from, to) as unknown as Iterable<Row>);
      return { top, life, ...cutToBytes(found, bytesMax ?? Infinity) };
    };
    if (reverse) {
      const to = Math.min(top, (since ?? Infinity) - 1);
      return page(Math.max(first, to - limit + 1), to, this.#statements.selectBackward);
    }
    const from = Math.max(first, (since ?? 0) + 1);
    return page(from, Math.min(top, from + limit - 1), this.#statements.selectForward);
  }

  #apply(write: Write, data: Uint8Array): number[] {
    if (write.kind === 'publish') return this.#publish(write, data);
    const row = this.#channels.find(write.channel);
    if (row !== undefined) {
      row.first = row.top + 1;
      row.dueAt = Math.min(row.dueAt, row.lastAt);
      this.#channels.touch(row);
    }
    return [outcomeCodes.passed, 0, 0];
  }

  #publish(write: PublishWrite, data: Uint8Array): number[] {
    const first = write.key === null ? undefined : this.#firstOutcome(write.channel, write.key, write.atMs);
    if (first !== undefined) return first;
    const row = write.retention === null ? undefined : this.#channels.find(write.channel);
    if (write.expected !== null && !this.#isAt(row, write.expected)) {
      return [outcomeCodes.conflict, row?.top ?? 0, row?.life ?? this.#epochs.life];
    }
    const appended = write.retention === null ? undefined : this.#append(row, write, write.retention, data);
    if (write.key !== null) this.#remember(write.channel, write.key, appended, write.atMs);
    if (appended === undefined) return [outcomeCodes.passed, 0, 0];
    return [outcomeCodes.appended, appended.top, appended.life];
  }

  #append(
    found: ChannelRow | undefined,
    write: PublishWrite,
    retention: { size: number; ttlMs: number },
    data: Uint8Array,
  ): ChannelRow {
    const row = found ?? this.#channels.create(write.channel, this.#epochs.life, write.atMs);
    // By the old age first: what was gone must not come back under a longer one.
    if (row.dueAt <= write.atMs) this.#retention.expire(row, write.atMs);
    row.top++;
    this.#statements.insertPublication.run(row.id, row.top, write.atMs, data, write.envelope);
    this.#retention.appended(row, write.atMs, retention);
    this.#channels.touch(row);
    return row;
  }

  #isAt(row: ChannelRow | undefined, expected: { offset: number; epoch: string }): boolean {
    if ((row?.top ?? 0) !== expected.offset) return false;
    return expected.epoch === '' || expected.epoch === this.#epochs.epochOf(row?.life ?? this.#epochs.life);
  }

  #firstOutcome(channel: string, key: string, atMs: number): number[] | undefined {
    const found = this.#statements.selectOutcome.get(channel, key, atMs) as unknown as
      [number | null, number | null] | undefined;
    if (found === undefined) return undefined;
    const [offset, life] = found;
    if (offset === null || life === null) return [outcomeCodes.duplicatePassed, 0, 0];
    return [outcomeCodes.duplicate, offset, life];
  }

  #remember(channel: string, key: string, row: ChannelRow | undefined, atMs: number): void {
    const expiresAt = atMs + this.#options.idempotencyWindowMs;
    this.#statements.upsertOutcome.run(channel, key, row?.top ?? null, row?.life ?? null, expiresAt);
  }

  /** The channel's next life has another epoch (DEL-3). */
  #forget(row: ChannelRow): void {
    this.#channels.delete(row);
    if (this.#epochs.forget(row.life)) this.#meta.write('life', String(this.#epochs.life));
  }

  #transaction<T>(work: () => T): T {
    this.#statements.begin.run();
    try {
      this.#retention.begin();
      const result = work();
      this.#channels.flush();
      this.#statements.commit.run();
      return result;
    } catch (error) {
      this.#rollBack();
      throw error;
    }
  }

  /** SQLite has rolled back by itself after some failures; then the statement fails, and says nothing new. */
  #rollBack(): void {
    this.#channels.rollBack();
    try {
      this.#statements.rollback.run();
    } catch {
      // no transaction is open
    }
    this.#epochs = this.#meta.readEpochs();
  }
}

/** The first rows as far as they fit; one always does. What comes after is not read. */
function cutToBytes(found: Iterable<Row>, bytesMax: number): { rows: Row[]; bytes: number } {
  const rows: Row[] = [];
  let bytes = 0;
  for (const row of found) {
    const [, , data, envelope] = row;
    const more = data.byteLength + (envelope?.length ?? 0);
    if (bytes + more > bytesMax && rows.length > 0) break;
    bytes += more;
    rows.push(row);
  }
  return { rows, bytes };
}

type Statements = ReturnType<typeof prepare>;

function prepare(db: DatabaseSync) {
  const select = 'SELECT offset, time, data, envelope FROM publication WHERE channel_id = ? AND offset BETWEEN ? AND ?';
  const statements = {
    begin: db.prepare('BEGIN IMMEDIATE'),
    commit: db.prepare('COMMIT'),
    rollback: db.prepare('ROLLBACK'),
    insertPublication: db.prepare(
      'INSERT INTO publication (channel_id, offset, time, data, envelope) VALUES (?, ?, ?, ?, ?)',
    ),
    selectForward: db.prepare(`${select} ORDER BY offset`),
    selectBackward: db.prepare(`${select} ORDER BY offset DESC`),
    selectOutcome: db.prepare('SELECT offset, life FROM outcome WHERE channel = ? AND key = ? AND expires_at > ?'),
    upsertOutcome: db.prepare(
      `INSERT INTO outcome (channel, key, offset, life, expires_at) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (channel, key) DO UPDATE
       SET offset = excluded.offset, life = excluded.life, expires_at = excluded.expires_at`,
    ),
    deleteOutcomes: db.prepare(
      `DELETE FROM outcome WHERE (channel, key) IN
         (SELECT channel, key FROM outcome WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`,
    ),
  };
  for (const each of [statements.selectForward, statements.selectBackward, statements.selectOutcome]) {
    each.setReturnArrays(true);
  }
  return statements;
}

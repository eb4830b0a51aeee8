import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { Fault } from '../core/fault.ts';

/** Rows kept in the worker's memory between transactions. */
const cachedMax = 20_000;

/** A channel's row, as the transaction under way sees it. Column meanings stand in sqlite-schema.ts. */
export interface ChannelRow {
  readonly id: number;
  readonly name: string;
  readonly life: number;
  top: number;
  first: number;
  storedFrom: number;
  ttlMs: number;
  lastAt: number;
  dueAt: number;
}

type Columns = [number, string, number, number, number, number, number, number, number];
const columns = 'id, name, life, top, first, stored_from, ttl_ms, last_at, due_at';

/**
 * The channel table with its rows cached. Changes are gathered and written once a transaction:
 * a hundred publications to one channel cost one update of its row.
 */
export class ChannelTable {
  readonly #select: StatementSync;
  readonly #selectDue: StatementSync;
  readonly #insert: StatementSync;
  readonly #update: StatementSync;
  readonly #delete: StatementSync;
  readonly #cached = new Map<string, ChannelRow>();
  readonly #changed = new Set<ChannelRow>();

  constructor(db: DatabaseSync) {
    this.#select = db.prepare(`SELECT ${columns} FROM channel WHERE name = ?`);
    this.#selectDue = db.prepare(`SELECT ${columns} FROM channel WHERE due_at <= ? ORDER BY due_at LIMIT ?`);
    this.#insert = db.prepare(
      `INSERT INTO channel (name, life, top, first, stored_from, ttl_ms, last_at, due_at)
       VALUES (?, ?, 0, 1, 1, 0, ?, ?)`,
    );
    this.#update = db.prepare(
      `UPDATE channel SET top = ?, first = ?, stored_from = ?, ttl_ms = ?, last_at = ?, due_at = ? WHERE id = ?`,
    );
    this.#delete = db.prepare('DELETE FROM channel WHERE id = ?');
    this.#select.setReturnArrays(true);
    this.#selectDue.setReturnArrays(true);
  }

  find(name: string): ChannelRow | undefined {
    const cached = this.#cached.get(name);
    if (cached !== undefined) return cached;
    const found = this.#select.get(name) as unknown as Columns | undefined;
    return found === undefined ? undefined : this.#keep(toRow(found));
  }

  create(name: string, life: number, atMs: number): ChannelRow {
    const { lastInsertRowid } = this.#insert.run(name, life, atMs, atMs);
    const id = Number(lastInsertRowid);
    return this.#keep({ id, name, life, top: 0, first: 1, storedFrom: 1, ttlMs: 0, lastAt: atMs, dueAt: atMs });
  }

  /** The row is written when the transaction ends. */
  touch(row: ChannelRow): void {
    this.#changed.add(row);
  }

  get changed(): Iterable<ChannelRow> {
    return this.#changed;
  }

  /** Rows the sweep must look at, most urgent first. To be asked before anything changed. */
  due(nowMs: number, count: number): ChannelRow[] {
    const found = this.#selectDue.all(nowMs, count) as unknown as Columns[];
    return found.map((each) => this.#cached.get(each[1]) ?? this.#keep(toRow(each)));
  }

  delete(row: ChannelRow): void {
    if (this.#delete.run(row.id).changes === 0) throw new Fault('broker', 'a channel vanished', { retryable: true });
    this.#cached.delete(row.name);
    this.#changed.delete(row);
  }

  /** Writes what changed; part of the transaction. */
  flush(): void {
    for (const row of this.#changed) {
      this.#update.run(row.top, row.first, row.storedFrom, row.ttlMs, row.lastAt, row.dueAt, row.id);
    }
    this.#changed.clear();
    this.#bound();
  }

  /** The transaction was rolled back: nothing in memory is true any more. */
  rollBack(): void {
    this.#changed.clear();
    this.#cached.clear();
  }

  #keep(row: ChannelRow): ChannelRow {
    this.#cached.set(row.name, row);
    return row;
  }

  /** Only between transactions, so that a changed row is never dropped. */
  #bound(): void {
    for (const name of this.#cached.keys()) {
      if (this.#cached.size <= cachedMax) return;
      this.#cached.delete(name);
    }
  }
}

function toRow([id, name, life, top, first, storedFrom, ttlMs, lastAt, dueAt]: Columns): ChannelRow {
  return { id, name, life, top, first, storedFrom, ttlMs, lastAt, dueAt };
}

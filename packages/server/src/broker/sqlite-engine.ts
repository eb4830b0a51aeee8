import type { DatabaseSync } from 'node:sqlite';
import { closeDatabase, fileIdentity, openDatabase } from './sqlite-database.ts';
import { isFull, openFailure, writeFailure } from './sqlite-fault.ts';
import {
  isFaultData,
  type FaultData,
  type Opened,
  type Page,
  type Read,
  type Turn,
  type TurnDone,
  type WorkerStart,
} from './sqlite-messages.ts';
import { settleGeneration } from './sqlite-meta.ts';
import { LogStore } from './sqlite-store.ts';

/** Opens the database of a folder. Tests put a failing one in its place. */
export type Open = (dataDir: string) => DatabaseSync;

/** Bytes that the reads of one turn bring, before the rest waits for the next: a millisecond or two of work. */
const turnReadBytesMax = 512 * 1024;
/** What a row costs beside its bytes, in bytes that take as long. */
const rowOverheadBytes = 2_048;

/**
 * The log of one folder, while it can be believed: a turn has an answer, or `run` throws `Fault`, the
 * database is closed and this engine is over. Who opens the folder after that is a new one, with a
 * generation of its own: the folder may have been restored meanwhile (DEL-3). Lives in the worker;
 * knows no thread.
 */
export class LogEngine {
  readonly #dataDir: string;
  readonly #db: DatabaseSync;
  readonly #store: LogStore;
  /** How the main side learns what was opened. */
  readonly opened: Opened;

  /** Throws `Fault`. */
  constructor(start: WorkerStart, open: Open = openDatabase) {
    this.#dataDir = start.dataDir;
    this.#db = open(start.dataDir);
    try {
      const { isCopy } = settleGeneration(this.#db, fileIdentity(start.dataDir), start.generation);
      this.#store = new LogStore(this.#db, start);
      this.opened = { kind: 'opened', generation: this.#store.generation, isCopy };
    } catch (error) {
      this.#db.close();
      throw openFailure(error, start.dataDir);
    }
  }

  /** Throws `Fault` where what is in memory, or in the file, can no longer be believed. */
  run(turn: Turn): TurnDone {
    const outcomes = turn.writes.length === 0 ? new Float64Array(0) : this.#guarded(() => this.#store.write(turn));
    // A failed sweep is tried again with the next timer; the writes tell operators what is wrong.
    const swept = turn.sweep ? this.#guarded(() => this.#store.sweep(turn.nowMs)) : false;
    return { kind: 'turn', outcomes, pages: this.#readAll(turn), sweepAgain: swept === true };
  }

  close(): void {
    closeDatabase(this.#db, this.#dataDir);
  }

  /** The reads that this turn has time for; one at least. */
  #readAll({ reads, nowMs }: Turn): (Page | FaultData)[] {
    const pages: (Page | FaultData)[] = [];
    let bytes = 0;
    for (const read of reads) {
      if (bytes >= turnReadBytesMax) break;
      const page = this.#read(read, nowMs);
      pages.push(page);
      bytes += isFaultData(page) ? 0 : page.bytes + page.rows.length * rowOverheadBytes;
    }
    return pages;
  }

  #read(read: Read, nowMs: number): Page | FaultData {
    try {
      return this.#store.read(read, nowMs);
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      return { message: `the log cannot be read: ${what}`, retryable: true };
    }
  }

  #guarded<T>(work: () => T): T | FaultData {
    try {
      return work();
    } catch (error) {
      const { fault, isOver } = writeFailure(error, this.#dataDir);
      if (isOver) {
        this.#abandon();
        throw fault;
      }
      if (isFull(error)) this.#giveBackSpace();
      return { message: fault.message, retryable: fault.retryable };
    }
  }

  /** The database file may have free pages; what waits in the write-ahead log moves there, and that file shrinks. */
  #giveBackSpace(): void {
    try {
      this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // the disk is full; somebody else must make room
    }
  }

  /** Closed at once, so that the next engine finds the folder free. */
  #abandon(): void {
    try {
      this.#db.close();
    } catch {
      // what failed is already reported
    }
  }
}

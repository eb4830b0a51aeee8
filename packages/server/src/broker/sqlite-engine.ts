import type { DatabaseSync } from 'node:sqlite';
import { Fault } from '../core/fault.ts';
import { closeDatabase, fileIdentity, openDatabase } from './sqlite-database.ts';
import { isFull, openFailure, writeFailure } from './sqlite-fault.ts';
import type { FaultData, Opened, Page, Read, Turn, TurnDone, WorkerStart } from './sqlite-messages.ts';
import { settleGeneration } from './sqlite-meta.ts';
import { LogStore } from './sqlite-store.ts';

interface Session {
  readonly db: DatabaseSync;
  readonly store: LogStore;
}

/** Opens the database of a folder. Tests put a failing one in its place. */
export type Open = (dataDir: string) => DatabaseSync;

/**
 * The log of one folder, through failures: a turn always has an answer, and the database is opened
 * anew when what is in memory can no longer be believed. Lives in the worker; knows no thread.
 */
export class LogEngine {
  readonly #start: WorkerStart;
  readonly #open: Open;
  #session: Session | undefined;

  constructor(start: WorkerStart, open: Open = openDatabase) {
    this.#start = start;
    this.#open = open;
  }

  /** Throws `Fault`. */
  open(): Opened {
    const db = this.#open(this.#start.dataDir);
    try {
      const { isCopy } = settleGeneration(db, fileIdentity(this.#start.dataDir), this.#start.generation);
      const store = new LogStore(db, this.#start);
      this.#session = { db, store };
      return { kind: 'opened', generation: store.generation, isCopy };
    } catch (error) {
      db.close();
      throw openFailure(error, this.#start.dataDir);
    }
  }

  run(turn: Turn): TurnDone {
    const outcomes = turn.writes.length === 0 ? new Float64Array(0) : this.#guarded((store) => store.write(turn));
    // A failed sweep is tried again with the next timer; the writes tell operators what is wrong.
    const swept = turn.sweep ? this.#guarded((store) => store.sweep(turn.nowMs)) : false;
    const pages = turn.reads.map((read) => this.#read(read, turn.nowMs));
    return { kind: 'turn', outcomes, pages, sweepAgain: swept === true };
  }

  close(): void {
    const session = this.#session;
    this.#session = undefined;
    if (session !== undefined) closeDatabase(session.db, this.#start.dataDir);
  }

  #read(read: Read, nowMs: number): Page | FaultData {
    try {
      return this.#store().read(read, nowMs);
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      return { message: `the log cannot be read: ${what}`, retryable: true };
    }
  }

  #guarded<T>(work: (store: LogStore) => T): T | FaultData {
    try {
      return work(this.#store());
    } catch (error) {
      const { fault, mustReopen } = writeFailure(error, this.#start.dataDir);
      if (mustReopen) this.#abandon();
      else if (isFull(error)) this.#giveBackSpace();
      return { message: fault.message, retryable: fault.retryable };
    }
  }

  /** Opens again, where a failure made that necessary. */
  #store(): LogStore {
    if (this.#session === undefined) this.open();
    if (this.#session === undefined) throw new Fault('broker', 'the log is not open', { retryable: true });
    return this.#session.store;
  }

  /** The database file may have free pages; what waits in the write-ahead log moves there, and that file shrinks. */
  #giveBackSpace(): void {
    try {
      this.#session?.db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch {
      // the disk is full; somebody else must make room
    }
  }

  #abandon(): void {
    const session = this.#session;
    this.#session = undefined;
    try {
      session?.db.close();
    } catch {
      // what failed is already reported; the next turn opens the file anew
    }
  }
}

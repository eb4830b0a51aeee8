import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Fault } from '../core/fault.ts';
import { isBusy, openFailure } from './sqlite-fault.ts';
import { checkSchema, migrate } from './sqlite-schema.ts';

const databaseName = 'log.db';
/** Only for the message to who comes second; the truth is SQLite's lock, which dies with its process. */
const pidName = 'tutti.pid';

/** Pages of 4 KiB the write-ahead log takes before it is copied back: 16 MiB. */
const checkpointPages = 4_096;

export function databasePath(dataDir: string): string {
  return join(dataDir, databaseName);
}

/**
 * Opens the log of a data folder for this process alone; makes the folder where there is none.
 * Throws `Fault`: the folder is in use, of a newer server, not ours, or damaged.
 *
 * Nobody in this process may open and close log.db by other means while it is held: POSIX drops
 * all of a process's locks on a file when it closes any descriptor of it.
 */
export function openDatabase(dataDir: string): DatabaseSync {
  const path = databasePath(dataDir);
  let db: DatabaseSync | undefined;
  try {
    makeFolder(dataDir);
    db = new DatabaseSync(path, { timeout: 0 });
    configure(db, path);
    writePid(dataDir);
    return db;
  } catch (error) {
    db?.close();
    throw isBusy(error) ? folderInUse(dataDir) : openFailure(error, path);
  }
}

/** Copies the write-ahead log back, so that the folder is one file. */
export function closeDatabase(db: DatabaseSync, dataDir: string): void {
  try {
    db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  } catch {
    // On a full disk the rest stays in log.db-wal, and is read from there when the folder is opened.
  } finally {
    db.close();
    rmSync(join(dataDir, pidName), { force: true });
  }
}

function configure(db: DatabaseSync, path: string): void {
  // Exclusive before the first access: then the lock is kept, and no shared-memory file is needed.
  db.exec('PRAGMA locking_mode = EXCLUSIVE');
  checkSchema(db, path);
  db.exec('PRAGMA journal_mode = WAL');
  // Commit means synced (DEL-5).
  db.exec('PRAGMA synchronous = FULL');
  // On macOS fsync stops at the disk's own cache; elsewhere these change nothing.
  db.exec('PRAGMA fullfsync = ON');
  db.exec('PRAGMA checkpoint_fullfsync = ON');
  db.exec(`PRAGMA wal_autocheckpoint = ${checkpointPages}`);
  db.exec(`PRAGMA journal_size_limit = ${checkpointPages * 4096}`);
  db.exec('PRAGMA cache_size = -32768');
  db.exec('BEGIN EXCLUSIVE');
  db.exec('COMMIT');
  migrate(db);
}

function makeFolder(dataDir: string): void {
  const made = mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  // The new name must survive a power cut as its content does.
  if (made !== undefined) syncFolder(dirname(made));
}

function syncFolder(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function folderInUse(dataDir: string): Fault {
  const pid = readPid(dataDir);
  const holder = pid === undefined ? 'another process' : `process ${pid}`;
  return new Fault('broker', `the data folder ${dataDir} is in use by ${holder}; stop it, or use another folder`, {
    retryable: false,
  });
}

function writePid(dataDir: string): void {
  try {
    writeFileSync(join(dataDir, pidName), `${process.pid}\n`);
  } catch {
    // a full disk must not keep a node from reading its log
  }
}

function readPid(dataDir: string): string | undefined {
  try {
    const written: unknown = JSON.parse(readFileSync(join(dataDir, pidName), 'utf8'));
    // The command `tutti` writes more about its node into the same file.
    const pid = typeof written === 'object' && written !== null && 'pid' in written ? written.pid : written;
    return typeof pid === 'number' && Number.isSafeInteger(pid) && pid > 0 ? String(pid) : undefined;
  } catch {
    return undefined; // the holder may not have written it yet
  }
}

/** What tells a file from its copy: written into the database, it is found elsewhere than it says. */
export interface FileIdentity {
  readonly inode: string;
  /** Nanoseconds since 1970; empty where the file system keeps no time of birth. */
  readonly birth: string;
}

export function fileIdentity(dataDir: string): FileIdentity {
  const stat = statSync(databasePath(dataDir), { bigint: true });
  // Where no birth is kept, Node answers with 0 or with the time of the last change.
  const isKnown = stat.birthtimeNs !== 0n && stat.birthtimeNs !== stat.ctimeNs;
  return { inode: String(stat.ino), birth: isKnown ? String(stat.birthtimeNs) : '' };
}

export function isSameFile(a: FileIdentity, b: FileIdentity): boolean {
  return a.inode === b.inode && (a.birth === '' || b.birth === '' || a.birth === b.birth);
}

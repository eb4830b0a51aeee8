import type { DatabaseSync } from 'node:sqlite';
import { Fault } from '../core/fault.ts';

/** 'Tutt' in ASCII: lets a stranger's database be told from a log. */
export const applicationId = 0x54757474;

/**
 * Numbered from 1, append-only: a published entry is never edited, because folders out there were
 * made with it (a test holds their hashes). All are forward-only; an older server refuses the folder.
 */
export const migrations: readonly string[] = [
  // 1: the log.
  `CREATE TABLE meta (
     name TEXT PRIMARY KEY,
     value TEXT NOT NULL
   ) WITHOUT ROWID;

   -- first: the oldest offset that may be read; stored_from: the oldest that may still take space.
   -- due_at: when the sweep must look at the channel, never later than needed.
   CREATE TABLE channel (
     id INTEGER PRIMARY KEY,
     name TEXT NOT NULL UNIQUE,
     life INTEGER NOT NULL,
     top INTEGER NOT NULL,
     first INTEGER NOT NULL,
     stored_from INTEGER NOT NULL,
     ttl_ms INTEGER NOT NULL,
     last_at INTEGER NOT NULL,
     due_at INTEGER NOT NULL
   );
   CREATE INDEX channel_due ON channel (due_at);

   -- A rowid table: rows are large, and are appended at the end of one tree.
   CREATE TABLE publication (
     id INTEGER PRIMARY KEY,
     channel_id INTEGER NOT NULL,
     offset INTEGER NOT NULL,
     time INTEGER NOT NULL,
     data BLOB NOT NULL,
     envelope TEXT
   );
   CREATE UNIQUE INDEX publication_position ON publication (channel_id, offset, time);

   -- First outcomes by idempotency key. offset and life are null where the channel keeps no history.
   CREATE TABLE outcome (
     channel TEXT NOT NULL,
     key TEXT NOT NULL,
     offset INTEGER,
     life INTEGER,
     expires_at INTEGER NOT NULL,
     PRIMARY KEY (channel, key)
   ) WITHOUT ROWID;
   CREATE INDEX outcome_expiry ON outcome (expires_at);`,
];

/** Refuses files that are not a log of ours, or of a newer server. Changes nothing. */
export function checkSchema(db: DatabaseSync, path: string): void {
  const id = readPragma(db, 'application_id');
  const isEmpty = db.prepare('SELECT name FROM sqlite_schema LIMIT 1').get() === undefined;
  if (id !== applicationId && !(id === 0 && isEmpty)) {
    throw new Fault('broker', `${path} is a database of another program; choose another data folder`, {
      retryable: false,
    });
  }
  const version = readPragma(db, 'user_version');
  if (version > migrations.length) {
    throw new Fault(
      'broker',
      `${path} has schema ${version}, written by a newer server; this one knows up to ${migrations.length}. ` +
        'Start the newer version, or use another data folder',
      { retryable: false },
    );
  }
}

/** Brings the schema up to date, in one transaction. */
export function migrate(db: DatabaseSync): void {
  const version = readPragma(db, 'user_version');
  if (version === migrations.length) return;
  db.exec('BEGIN IMMEDIATE');
  try {
    for (const sql of migrations.slice(version)) db.exec(sql);
    db.exec(`PRAGMA application_id = ${applicationId}`);
    db.exec(`PRAGMA user_version = ${migrations.length}`);
    db.exec('COMMIT');
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

function readPragma(db: DatabaseSync, name: 'application_id' | 'user_version'): number {
  const row = db.prepare(`PRAGMA ${name}`).get() as Record<string, number>;
  return row[name] ?? 0;
}

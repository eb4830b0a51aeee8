import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Clock } from '../core/clock.ts';
import { Fault } from '../core/fault.ts';
import {
  laterOf,
  listIsFull,
  revocationPageMax,
  type Revocation,
  type RevocationList,
  type RevocationListEvents,
  type RevocationPage,
} from './revocation-list.ts';

export interface SqliteRevocationListOptions {
  /** Made with the first entry, where it does not exist. */
  readonly dataDir: string;
  readonly clock: Clock;
  /** Most entries. */
  readonly revocationsMax: number;
}

const fileName = 'revocations.db';
/** 'TutR' in ASCII. */
const applicationId = 0x54757452;
const schemaVersion = 1;
/** Expired entries removed with one append. */
const forgottenMax = 100;

// AUTOINCREMENT: a version never returns, also when the newest entry has expired and is gone.
const schema = `
  CREATE TABLE revocation (
    version INTEGER PRIMARY KEY AUTOINCREMENT,
    what TEXT NOT NULL,
    tenant TEXT NOT NULL,
    subject TEXT NOT NULL,
    issued_before INTEGER NOT NULL,
    expires_at INTEGER,
    UNIQUE (what, tenant, subject)
  );
  CREATE INDEX revocation_expiry ON revocation (expires_at);
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${schemaVersion};`;

type Row = [number, Revocation['what'], string, string, number, number | null];

interface Open {
  readonly db: DatabaseSync;
  readonly select: StatementSync;
  readonly find: StatementSync;
  readonly remove: StatementSync;
  readonly insert: StatementSync;
  readonly forget: StatementSync;
  readonly count: StatementSync;
  readonly top: StatementSync;
}

/**
 * The list in the data folder, so that a restart forgets nothing: an entry is there when it is committed
 * and synced. A file of its own, because the log's belongs to its thread; written by this one, since
 * revocations are rare, and small.
 */
export class SqliteRevocationList implements RevocationList {
  readonly #options: SqliteRevocationListOptions;
  #open: Open | undefined;
  #events: RevocationListEvents = { changed: () => undefined };

  constructor(options: SqliteRevocationListOptions) {
    this.#options = options;
  }

  /** Nothing is made before it is needed: a node that revokes nothing needs no data folder for it. */
  start(events: RevocationListEvents): Promise<void> {
    this.#events = events;
    return this.#guarded('opened', () => {
      if (existsSync(this.#path)) this.#opened();
    });
  }

  async append(revocation: Revocation): Promise<void> {
    await this.#guarded('written', () => {
      const open = this.#opened();
      open.db.exec('BEGIN IMMEDIATE');
      try {
        this.#write(open, revocation);
        open.db.exec('COMMIT');
      } finally {
        if (open.db.isTransaction) open.db.exec('ROLLBACK');
      }
    });
    this.#events.changed();
  }

  readSince(version: string): Promise<RevocationPage> {
    return this.#guarded('read', () => {
      if (this.#open === undefined) return { revocations: [], version: '', hasMore: false };
      const { select, top } = this.#open;
      const newest = (top.get() as unknown as [number] | undefined)?.[0] ?? 0;
      const since = /^\d{1,15}$/.test(version) && Number(version) <= newest ? Number(version) : 0;
      const rows = select.all(since, revocationPageMax + 1) as unknown as Row[];
      const found = rows.slice(0, revocationPageMax);
      return {
        revocations: found.map(toRevocation),
        version: String(found.at(-1)?.[0] ?? since),
        hasMore: rows.length > found.length,
      };
    });
  }

  close(): Promise<void> {
    this.#open?.db.close();
    this.#open = undefined;
    return Promise.resolve();
  }

  get #path(): string {
    return join(this.#options.dataDir, fileName);
  }

  #opened(): Open {
    this.#open ??= openList(this.#options.dataDir, this.#path);
    return this.#open;
  }

  /** Throws `Rejection` where the list is full. */
  #write({ find, remove, insert, forget, count }: Open, revocation: Revocation): void {
    const { clock, revocationsMax } = this.#options;
    forget.run(clock.now(), forgottenMax);
    const { what, tenant, subject } = revocation;
    const older = find.get(what, tenant, subject) as unknown as Row | undefined;
    const [kept] = count.get() as unknown as [number];
    if (older === undefined && kept >= revocationsMax) throw listIsFull(revocationsMax);
    remove.run(what, tenant, subject);
    const { issuedBeforeMs, expiresAtMs } = laterOf(older && toRevocation(older), revocation);
    insert.run(what, tenant, subject, issuedBeforeMs, expiresAtMs ?? null);
  }

  /** What the database says becomes a `Fault`; a `Rejection` stays one. */
  async #guarded<T>(what: string, work: () => T): Promise<T> {
    try {
      return work();
    } catch (cause) {
      if (!(cause instanceof Error) || !('errcode' in cause || 'code' in cause)) throw cause;
      const message = `the revocations in ${this.#path} could not be ${what}: ${cause.message}`;
      throw new Fault('revocation', message, { retryable: true, cause });
    }
  }
}

/** Throws `Fault` for a file that is not ours, or of a newer server. */
function openList(dataDir: string, path: string): Open {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const db = new DatabaseSync(path, { timeout: 1_000 });
  try {
    db.exec('PRAGMA journal_mode = WAL');
    db.exec('PRAGMA synchronous = FULL');
    makeSchema(db, path);
    return { db, ...prepare(db) };
  } catch (error) {
    db.close();
    throw error;
  }
}

function makeSchema(db: DatabaseSync, path: string): void {
  const { application_id: id } = db.prepare('PRAGMA application_id').get() as { application_id: number };
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
  const isEmpty = db.prepare('SELECT name FROM sqlite_schema LIMIT 1').get() === undefined;
  if (id === applicationId && version === schemaVersion) return;
  if (id !== 0 || !isEmpty) {
    const whose = id === applicationId ? `of a newer server (schema ${version})` : 'of another program';
    throw new Fault('revocation', `${path} is a file ${whose}; use another data folder`, { retryable: false });
  }
  db.exec(`BEGIN IMMEDIATE; ${schema} COMMIT;`);
}

function prepare(db: DatabaseSync): Omit<Open, 'db'> {
  const columns = 'version, what, tenant, subject, issued_before, expires_at';
  const statements = {
    select: db.prepare(`SELECT ${columns} FROM revocation WHERE version > ? ORDER BY version LIMIT ?`),
    find: db.prepare(`SELECT ${columns} FROM revocation WHERE what = ? AND tenant = ? AND subject = ?`),
    remove: db.prepare('DELETE FROM revocation WHERE what = ? AND tenant = ? AND subject = ?'),
    insert: db.prepare(
      'INSERT INTO revocation (what, tenant, subject, issued_before, expires_at) VALUES (?, ?, ?, ?, ?)',
    ),
    forget: db.prepare(
      'DELETE FROM revocation WHERE version IN (SELECT version FROM revocation WHERE expires_at <= ? LIMIT ?)',
    ),
    count: db.prepare('SELECT count(*) FROM revocation'),
    top: db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'revocation'"),
  };
  for (const each of [statements.select, statements.find, statements.count, statements.top]) each.setReturnArrays(true);
  return statements;
}

function toRevocation([, what, tenant, subject, issuedBeforeMs, expiresAtMs]: Row): Revocation {
  return { what, tenant, subject, issuedBeforeMs, ...(expiresAtMs === null ? {} : { expiresAtMs }) };
}

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { changed, entryOf, type AliveAt, type KeptUser } from './kept-user.ts';
import type { LastSeenBounds, SeenBatch, SeenEntry, UserName } from './last-seen.ts';

const fileName = 'last-seen.db';
/** 'TutS' in ASCII. */
const applicationId = 0x54757453;
const schemaVersion = 1;
/** Users forgotten with one write: more than it can add. */
const forgottenMax = 1_000;

const schema = `
  CREATE TABLE user (
    tenant TEXT NOT NULL,
    user TEXT NOT NULL,
    at INTEGER NOT NULL,
    nodes TEXT NOT NULL,
    written_at INTEGER NOT NULL,
    PRIMARY KEY (tenant, user)
  ) WITHOUT ROWID;
  CREATE INDEX user_written ON user (written_at);
  CREATE TABLE node (name TEXT PRIMARY KEY, alive_at INTEGER NOT NULL) WITHOUT ROWID;
  PRAGMA application_id = ${applicationId};
  PRAGMA user_version = ${schemaVersion};`;

interface Statements {
  readonly find: StatementSync;
  readonly put: StatementSync;
  readonly remove: StatementSync;
  readonly alive: StatementSync;
  readonly aliveAt: StatementSync;
  readonly forgetUsers: StatementSync;
  readonly forgetOldest: StatementSync;
  readonly forgetNodes: StatementSync;
  readonly count: StatementSync;
}

/** The file that the thread of `SqliteLastSeen` owns. All throw what the database throws. */
export class LastSeenDatabase {
  readonly #db: DatabaseSync;
  readonly #bounds: LastSeenBounds;
  readonly #statements: Statements;

  /** Throws for a file that is not ours, or of a newer server. */
  constructor(dataDir: string, bounds: LastSeenBounds) {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const path = join(dataDir, fileName);
    this.#bounds = bounds;
    this.#db = new DatabaseSync(path, { timeout: 1_000 });
    try {
      this.#db.exec('PRAGMA journal_mode = WAL');
      // A power failure may cost the last seconds, and never the file: it is not worth a sync for each write.
      this.#db.exec('PRAGMA synchronous = NORMAL');
      makeSchema(this.#db, path);
      this.#statements = prepare(this.#db);
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  write({ node, aliveAtMs, changes }: SeenBatch, nowMs: number): void {
    const { alive, put } = this.#statements;
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      alive.run(node, aliveAtMs);
      const aliveAt = this.#aliveAt();
      for (const change of changes) {
        const { atMs, nodes } = changed(this.#find(change)?.user, change, { node, aliveAtMs }, aliveAt);
        put.run(change.tenant, change.user, atMs, nodes.join(' '), nowMs);
      }
      this.#forget(nowMs);
      this.#db.exec('COMMIT');
    } finally {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
    }
  }

  read(users: readonly UserName[], nowMs: number): (SeenEntry | undefined)[] {
    const aliveAt = this.#aliveAt();
    return users.map((each) => {
      const kept = this.#find(each);
      if (kept === undefined || kept.writtenAtMs <= nowMs - this.#bounds.ttlMs) return undefined;
      return entryOf(kept.user, aliveAt);
    });
  }

  remove({ tenant, user }: UserName): void {
    this.#statements.remove.run(tenant, user);
  }

  close(): void {
    this.#db.close();
  }

  #find({ tenant, user }: UserName): { user: KeptUser; writtenAtMs: number } | undefined {
    const row = this.#statements.find.get(tenant, user) as unknown as [number, string, number] | undefined;
    if (row === undefined) return undefined;
    const [atMs, nodes, writtenAtMs] = row;
    return { user: { atMs, nodes: nodes === '' ? [] : nodes.split(' ') }, writtenAtMs };
  }

  /** Each node is looked up once. */
  #aliveAt(): AliveAt {
    const known = new Map<string, number | undefined>();
    return (node) => {
      if (!known.has(node)) {
        const row = this.#statements.aliveAt.get(node) as unknown as [number] | undefined;
        known.set(node, row?.[0]);
      }
      return known.get(node);
    };
  }

  #forget(nowMs: number): void {
    const { forgetUsers, forgetOldest, forgetNodes, count } = this.#statements;
    const sinceMs = nowMs - this.#bounds.ttlMs;
    forgetUsers.run(sinceMs, forgottenMax);
    forgetNodes.run(sinceMs);
    const [kept] = count.get() as unknown as [number];
    const tooMany = kept - this.#bounds.usersMax;
    if (tooMany > 0) forgetOldest.run(Math.min(tooMany, forgottenMax));
  }
}

function makeSchema(db: DatabaseSync, path: string): void {
  const { application_id: id } = db.prepare('PRAGMA application_id').get() as { application_id: number };
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
  const isEmpty = db.prepare('SELECT name FROM sqlite_schema LIMIT 1').get() === undefined;
  if (id === applicationId && version === schemaVersion) return;
  if (id !== 0 || !isEmpty) {
    const whose = id === applicationId ? `of a newer server (schema ${version})` : 'of another program';
    throw new Error(`${path} is a file ${whose}; use another data folder`);
  }
  db.exec(`BEGIN IMMEDIATE; ${schema} COMMIT;`);
}

function prepare(db: DatabaseSync): Statements {
  const oldest = 'SELECT tenant, user FROM user';
  const statements = {
    find: db.prepare('SELECT at, nodes, written_at FROM user WHERE tenant = ? AND user = ?'),
    put: db.prepare('INSERT OR REPLACE INTO user (tenant, user, at, nodes, written_at) VALUES (?, ?, ?, ?, ?)'),
    remove: db.prepare('DELETE FROM user WHERE tenant = ? AND user = ?'),
    alive: db.prepare(
      'INSERT INTO node (name, alive_at) VALUES (?, ?) ON CONFLICT DO UPDATE SET alive_at = max(alive_at, excluded.alive_at)',
    ),
    aliveAt: db.prepare('SELECT alive_at FROM node WHERE name = ?'),
    forgetUsers: db.prepare(
      `DELETE FROM user WHERE (tenant, user) IN (${oldest} WHERE written_at <= ? ORDER BY written_at LIMIT ?)`,
    ),
    forgetOldest: db.prepare(`DELETE FROM user WHERE (tenant, user) IN (${oldest} ORDER BY written_at LIMIT ?)`),
    forgetNodes: db.prepare('DELETE FROM node WHERE alive_at <= ?'),
    count: db.prepare('SELECT count(*) FROM user'),
  };
  for (const each of [statements.find, statements.aliveAt, statements.count]) each.setReturnArrays(true);
  return statements;
}

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { Fault } from '../core/fault.ts';
import { applicationId, checkSchema, migrate, migrations } from './sqlite-schema.ts';

/** Of published migrations. Adding one adds a line; a changed line means folders out there no longer match. */
const hashes = ['d779288aff13f4a6'];

test('migrations are append-only', () => {
  const found = migrations.map((sql) => createHash('sha256').update(sql).digest('hex').slice(0, 16));
  assert.deepEqual(found, hashes);
});

test('a new database is brought up to date, and then left alone', () => {
  const db = new DatabaseSync(':memory:');
  checkSchema(db, 'log.db');
  migrate(db);
  assert.equal(db.prepare('PRAGMA user_version').get()?.user_version, migrations.length);
  assert.equal(db.prepare('PRAGMA application_id').get()?.application_id, applicationId);
  checkSchema(db, 'log.db');
  migrate(db);
});

test('a newer schema is refused, and the message says what to do', () => {
  const db = new DatabaseSync(':memory:');
  migrate(db);
  db.exec(`PRAGMA user_version = ${migrations.length + 1}`);
  assert.throws(
    () => checkSchema(db, '/data/log.db'),
    (error) => error instanceof Fault && !error.retryable && /\/data\/log\.db.*newer server/.test(error.message),
  );
});

test("another program's database is refused and not touched", () => {
  const db = new DatabaseSync(':memory:');
  db.exec('CREATE TABLE theirs (a)');
  assert.throws(() => checkSchema(db, '/data/log.db'), /another program/);
  db.exec('PRAGMA application_id = 7');
  assert.throws(() => checkSchema(db, '/data/log.db'), /another program/);
});

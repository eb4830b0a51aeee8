import assert from 'node:assert/strict';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { Fault } from '../core/fault.ts';
import { SystemClock } from '../runtime/system-clock.ts';
import type { Revocation } from './revocation-list.ts';
import { SqliteRevocationList } from './sqlite.ts';

const events = { changed: (): void => undefined };
const ann: Revocation = { what: 'user', tenant: 'acme', subject: 'ann', issuedBeforeMs: 1_700_000_000_000 };

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'tutti-revocations-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return join(path, 'data');
}

function listIn(dataDir: string): SqliteRevocationList {
  return new SqliteRevocationList({ dataDir, clock: new SystemClock(), revocationsMax: 100 });
}

test('CON-6: a restart forgets nothing, not even one that was killed', async (t) => {
  const dataDir = await folder(t);
  const first = listIn(dataDir);
  await first.start(events);
  assert.equal(existsSync(dataDir), false, 'nothing is made before it is needed');
  await first.append(ann);
  // Not closed: what is not in the file by now is lost with the process.
  const second = listIn(dataDir);
  await second.start(events);
  assert.deepEqual((await second.readSince('')).revocations, [ann]);
  assert.equal(statSync(dataDir).mode & 0o777, 0o700);
  await first.close();
  await second.close();
});

test('a file of another program, or of a newer server, stops the node with a reason', async (t) => {
  const dataDir = await folder(t);
  const made = listIn(dataDir);
  await made.start(events);
  await made.append(ann);
  await made.close();
  const path = join(dataDir, 'revocations.db');
  const db = new DatabaseSync(path);
  db.exec('PRAGMA user_version = 2');
  db.close();
  const refused = (reason: RegExp) => (error: unknown) => error instanceof Fault && reason.test(error.message);
  await assert.rejects(listIn(dataDir).start(events), refused(/newer server/));
  await rm(path);
  new DatabaseSync(path).exec('CREATE TABLE other (x)');
  await assert.rejects(listIn(dataDir).start(events), refused(/another program/));
  await rm(path);
  writeFileSync(path, 'no database at all, but long enough to be looked at as one'.repeat(20));
  await assert.rejects(listIn(dataDir).start(events), refused(/could not be opened/));
});

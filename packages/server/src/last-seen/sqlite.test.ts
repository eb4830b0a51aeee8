import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { eventually } from '@tutti/testkit';
import { Fault } from '../core/fault.ts';
import { SystemClock } from '../runtime/system-clock.ts';
import { SqliteLastSeen } from './sqlite.ts';

const timeout = 30_000;
const ann = { tenant: 'acme', user: 'ann' };
const bounds = { ttlMs: 3_600_000, usersMax: 100 };

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'tutti-last-seen-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return join(path, 'data');
}

function storeIn(t: TestContext, dataDir: string): SqliteLastSeen {
  const store = new SqliteLastSeen({ dataDir, clock: new SystemClock(), bounds });
  t.after(() => store.close().catch(() => undefined));
  return store;
}

test(
  'PRE-2: who was connected to a node that was killed was last seen when that was last alive',
  { timeout },
  async (t) => {
    const dataDir = await folder(t);
    const first = storeIn(t, dataDir);
    await first.start();
    const atMs = Date.now() - 10_000;
    await first.write({ node: 'first', aliveAtMs: atMs, changes: [{ ...ann, isHere: true, atMs }] });
    await first.write({ node: 'first', aliveAtMs: atMs + 5_000, changes: [] });
    // Not closed: what is not in the file by now is lost with the process.
    const second = storeIn(t, dataDir);
    await second.start();
    assert.deepEqual(await second.read([ann]), [{ atMs, nodes: [{ node: 'first', aliveAtMs: atMs + 5_000 }] }]);
    assert.equal(statSync(dataDir).mode & 0o777, 0o700);
  },
);

test(
  'a file that cannot be used does not keep a node from starting; calls say why, and try again',
  { timeout },
  async (t) => {
    const spoil: [RegExp, (path: string) => void][] = [
      [/another program/, (path) => new DatabaseSync(path).exec('CREATE TABLE other (x)')],
      [
        /newer server/,
        (path) => new DatabaseSync(path).exec('PRAGMA application_id = 0x54757453; PRAGMA user_version = 2'),
      ],
      [
        /not a database/,
        (path) => writeFileSync(path, 'no database at all, but long enough to be looked at'.repeat(20)),
      ],
    ];
    for (const [reason, make] of spoil) {
      const dataDir = await folder(t);
      await mkdir(dataDir);
      make(join(dataDir, 'last-seen.db'));
      const store = storeIn(t, dataDir);
      await store.start();
      const refused = (error: unknown): boolean =>
        error instanceof Fault && error.retryable && reason.test(error.message);
      await assert.rejects(store.read([ann]), refused);
      await rm(dataDir, { recursive: true });
      await eventually(() =>
        store.read([ann]).then(
          (entries) => entries.length === 1,
          () => false,
        ),
      );
    }
  },
);

test('after it is closed calls fail, and a thread that ended leaves nobody waiting', { timeout }, async (t) => {
  const store = storeIn(t, await folder(t));
  await store.start();
  const asked = store.read([ann]);
  const closed = store.close();
  assert.deepEqual(await asked, [undefined]);
  await closed;
  await assert.rejects(store.read([ann]), /closed/);
});

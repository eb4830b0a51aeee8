import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SystemClock } from '../runtime/system-clock.ts';
import { SystemRandom } from '../runtime/system-random.ts';
import { SqliteLogBroker } from './sqlite-log.ts';

const names = [
  `chat:'; DROP TABLE publication; --`,
  'chat:"quoted"',
  'chat:100%_of[it]',
  'chat:back\\slash',
  'chat:Ω≈ç√',
  'chat:a;b',
  `chat:' OR '1'='1`,
];

test('S30: names and keys that look like SQL are data, each its own', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'tutti-names-'));
  const broker = new SqliteLogBroker({ dataDir, clock: new SystemClock(), random: new SystemRandom() });
  try {
    await broker.start({ publication: () => undefined });
    const history = { size: 10, ttlMs: 60_000 };
    for (const name of names) {
      for (const idempotencyKey of names) {
        await broker.publish(
          name,
          { data: Buffer.from(JSON.stringify(name)), key: name, tags: { [name]: name } },
          { history, idempotencyKey },
        );
      }
    }
    for (const name of names) {
      const page = await broker.history(name, { limit: 100 });
      assert.equal(page.publications.length, names.length, name);
      assert.ok(
        page.publications.every((publication) => Buffer.from(publication.data).toString() === JSON.stringify(name)),
      );
      assert.deepEqual({ ...page.publications[0]?.tags }, { [name]: name });
    }
  } finally {
    await broker.close();
    await rm(dataDir, { recursive: true, force: true });
  }
});

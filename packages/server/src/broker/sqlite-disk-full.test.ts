import assert from 'node:assert/strict';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { smallDisk } from '@tutti/testkit';
import { Fault } from '../core/fault.ts';
import { SystemClock } from '../runtime/system-clock.ts';
import { SystemRandom } from '../runtime/system-random.ts';
import { SqliteLogBroker } from './sqlite-log.ts';

const history = { size: 1_000_000, ttlMs: 3_600_000 };
const payload = { data: new Uint8Array(20_000).fill(1) };

async function opened(dataDir: string): Promise<SqliteLogBroker> {
  const broker = new SqliteLogBroker({ dataDir, clock: new SystemClock(), random: new SystemRandom() });
  await broker.start({ publication: () => {} });
  return broker;
}

async function publishUntilFull(broker: SqliteLogBroker): Promise<{ accepted: number; fault: unknown }> {
  for (let accepted = 0; accepted < 1_000; accepted++) {
    try {
      await broker.publish('a', payload, { history, idempotencyKey: `${accepted}` });
    } catch (fault) {
      return { accepted, fault };
    }
  }
  throw new Error('the disk did not fill up');
}

test(
  'a full disk refuses writes clearly, reads go on, and it recovers by itself',
  { timeout: 60_000 },
  async (context) => {
    const dataDir = smallDisk(context);
    if (dataDir === undefined) return;
    const ballast = join(dataDir, 'ballast');
    writeFileSync(ballast, new Uint8Array(1_000_000));
    const broker = await opened(dataDir);
    const { accepted, fault } = await publishUntilFull(broker);
    assert.ok(accepted > 0);
    assert.ok(fault instanceof Fault && fault.retryable, String(fault));
    assert.match(fault.message, /cannot accept writes: disk full/);
    assert.ok(fault.message.includes(dataDir));
    const offsets = async (): Promise<(number | undefined)[]> =>
      (await broker.history('a', { limit: 1_000 })).publications.map(({ offset }) => offset);
    const expected = Array.from({ length: accepted }, (_, i) => i + 1);
    assert.deepEqual(await offsets(), expected);
    await assert.rejects(broker.publish('a', payload, { history }), /disk full/);

    rmSync(ballast);
    const options = { history, idempotencyKey: `${accepted}` };
    const retry = await broker.publish('a', payload, options);
    assert.deepEqual([retry.duplicate, retry.position?.offset], [false, accepted + 1]);
    assert.deepEqual(await offsets(), [...expected, accepted + 1]);
    assert.deepEqual(await broker.publish('a', payload, options), { position: retry.position, duplicate: true });
    await broker.close();
  },
);

test('a node that starts on a full disk can read its log', { timeout: 60_000 }, async (context) => {
  const dataDir = smallDisk(context);
  if (dataDir === undefined) return;
  const first = await opened(dataDir);
  await first.publish('a', payload, { history });
  await first.close();
  const { bavail, bsize } = statfsSync(dataDir);
  writeFileSync(join(dataDir, 'ballast'), new Uint8Array(bavail * bsize));
  const second = await opened(dataDir);
  assert.equal((await second.history('a', { limit: 10 })).publications.length, 1);
  await assert.rejects(second.publish('a', payload, { history }), /disk full/);
  rmSync(join(dataDir, 'ballast'));
  assert.equal((await second.publish('a', payload, { history })).position?.offset, 2);
  await second.close();
});

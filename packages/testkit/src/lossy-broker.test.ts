import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryBroker } from '@tutti/server/internal';
import { LossyBroker, type DecideFate } from './lossy-broker.ts';
import { SeededRandom } from './seeded-random.ts';
import { VirtualClock } from './virtual-clock.ts';

const history = { size: 10, ttlMs: 60_000 };

async function started(
  decide: DecideFate,
): Promise<{ broker: LossyBroker; seen: number[]; publish: () => Promise<unknown> }> {
  const broker = new LossyBroker(new MemoryBroker({ clock: new VirtualClock(), random: new SeededRandom(1) }), decide);
  const seen: number[] = [];
  await broker.start({ publication: ({ publication }) => seen.push(publication.offset ?? 0) });
  await broker.subscribe('a');
  return { broker, seen, publish: () => broker.publish('a', { data: new Uint8Array(1) }, { history }) };
}

test('DEL-7: a dropped event is missing live, and the log has it', async () => {
  const { broker, seen, publish } = await started((_live, index) => (index === 1 ? 'drop' : 'deliver'));
  for (let i = 0; i < 3; i++) await publish();
  assert.deepEqual(seen, [1, 3]);
  assert.equal(broker.dropped, 1);
  const page = await broker.history('a', { limit: 10 });
  assert.deepEqual(
    page.publications.map(({ offset }) => offset),
    [1, 2, 3],
  );
});

test('an event put behind two others comes after them', async () => {
  const { seen, publish } = await started((_live, index) => (index === 0 ? { behind: 2 } : 'deliver'));
  for (let i = 0; i < 4; i++) await publish();
  assert.deepEqual(seen, [2, 3, 1, 4]);
});

test('held events wait for release, in either order', async () => {
  const { broker, seen, publish } = await started(() => 'hold');
  await publish();
  await publish();
  assert.deepEqual(seen, []);
  assert.equal(broker.waiting, 2);
  broker.release({ reverse: true });
  assert.deepEqual(seen, [2, 1]);
  broker.decideBy(() => 'deliver');
  await publish();
  assert.deepEqual(seen, [2, 1, 3]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from './seeded-random.ts';

test('the same seed gives the same sequence, another seed another', () => {
  const take = (seed: number): number[] => {
    const random = new SeededRandom(seed);
    return Array.from({ length: 20 }, () => random.uint32());
  };
  assert.deepEqual(take(7), take(7));
  assert.notDeepEqual(take(7), take(8));
  assert.notDeepEqual(take(7), take(7 + 0x1_0000_0000));
});

test('next is spread evenly over [0, 1)', () => {
  const random = new SeededRandom(1);
  const buckets = new Array<number>(16).fill(0);
  for (let i = 0; i < 16_000; i++) {
    const bucket = Math.floor(random.next() * 16);
    buckets[bucket] = (buckets[bucket] ?? 0) + 1;
  }
  assert.ok(
    buckets.every((count) => count > 850 && count < 1_150),
    buckets.join(' '),
  );
});

test("ids look like a node's and do not repeat", () => {
  const random = new SeededRandom(3);
  const ids = new Set(Array.from({ length: 10_000 }, () => random.id()));
  assert.equal(ids.size, 10_000);
  for (const id of ids) assert.match(id, /^[A-Za-z0-9_-]{22}$/);
});

test('pick, shuffle, int and fork stay within their bounds', () => {
  const random = new SeededRandom(4);
  const list = [1, 2, 3, 4, 5];
  for (let i = 0; i < 100; i++) {
    assert.ok(list.includes(random.pick(list)));
    assert.ok(random.int(3) < 3);
  }
  assert.deepEqual(random.shuffle([...list]).sort(), list);
  assert.throws(() => random.pick([]), RangeError);
  assert.notEqual(random.fork().uint32(), random.fork().uint32());
});

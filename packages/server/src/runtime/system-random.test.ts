import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SystemRandom } from './system-random.ts';

test('ids have 128 bits, are safe in URLs, and do not repeat across refills of the pool', () => {
  const random = new SystemRandom();
  const ids = new Set<string>();
  for (let i = 0; i < 10_000; i++) ids.add(random.id());
  assert.equal(ids.size, 10_000);
  for (const id of ids) {
    assert.match(id, /^[A-Za-z0-9_-]{22}$/);
    assert.equal(Buffer.from(id, 'base64url').length, 16);
  }
});

test('every bit of an id varies', () => {
  const random = new SystemRandom();
  const ones = Buffer.alloc(16);
  const zeros = Buffer.alloc(16);
  for (let i = 0; i < 200; i++) {
    const bytes = Buffer.from(random.id(), 'base64url');
    for (let j = 0; j < 16; j++) {
      ones[j] = ones[j]! | bytes[j]!;
      zeros[j] = zeros[j]! | (~bytes[j]! & 0xff);
    }
  }
  assert.ok(ones.every((byte) => byte === 0xff) && zeros.every((byte) => byte === 0xff));
});

test('next is within [0, 1)', () => {
  const random = new SystemRandom();
  for (let i = 0; i < 1_000; i++) {
    const value = random.next();
    assert.ok(value >= 0 && value < 1);
  }
});

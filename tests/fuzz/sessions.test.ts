import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { fuzzSessions } from './sessions.ts';

for (const seed of [1, randomInt(1, 1_000_000)]) {
  test(`S23: random command sequences, seed ${seed}: no crash, no wrong delivery, nothing left behind`, async () => {
    const result = await fuzzSessions({ sequences: 1_000, seed });
    assert.deepEqual(result.failures, []);
    assert.ok(result.commands > 3_000);
  });
}

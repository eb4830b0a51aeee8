import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from './eventually.ts';

test('returns the first truthy value, waiting for promises and past errors', async () => {
  let tries = 0;
  const value = await eventually(() => {
    tries++;
    if (tries < 5) throw new Error('not yet');
    return Promise.resolve(tries < 15 ? undefined : 'here');
  });
  assert.equal(value, 'here');
  assert.equal(tries, 15);
});

test('the failure says what was waited for, how long, and what was seen last', async () => {
  await assert.rejects(
    eventually(() => 0, { what: 'the queue', withinMs: 20 }),
    /^Error: the queue did not hold within 20 ms \(\d+ tries\); last, it returned 0$/,
  );
  const cause = new Error('3 is not 4');
  await assert.rejects(
    eventually(
      () => {
        throw cause;
      },
      { withinMs: 20 },
    ),
    (error: Error) => error.message.endsWith('last, it threw: 3 is not 4') && error.cause === cause,
  );
});

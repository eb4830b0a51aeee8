import assert from 'node:assert/strict';
import test from 'node:test';
import { mergeRuns, table } from './report.ts';

test('several runs become median and range; what is the same stays', () => {
  const runs = [9, 5, 7].map((perSecond) => [{ target: 'tutti', connections: 10, perSecond }]);
  assert.deepEqual(mergeRuns(runs), [{ target: 'tutti', connections: 10, perSecond: '7 (5–9)' }]);
  assert.deepEqual(mergeRuns(runs.slice(0, 1)), runs[0]);
  assert.deepEqual(mergeRuns([]), []);
});

test('a table has names on top, texts to the left and numbers to the right', () => {
  assert.deepEqual(
    table([
      { target: 'a', kb: 1.5 },
      { target: 'tutti', kb: 100 },
    ]),
    ['target   kb', 'a       1.5', 'tutti   100'],
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { settingsFromCode } from './from-code.ts';

test('lastSeenTtl is nothing, or at least an hour', () => {
  const problems = (lastSeenTtl: string): string[] =>
    settingsFromCode({ lastSeenTtl, allowAnonymous: true }, new Set()).problems.map(({ message }) => message);
  assert.deepEqual([problems('0s'), problems('1h'), problems('90d')], [[], [], []]);
  assert.match(problems('59m')[0] ?? '', /at least 1h; 0 turns it off/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Elections, LeaderChanged } from './elections.ts';

test('what waits for the leader of a stream is given up when it has another, and nothing else is', async () => {
  const elections = new Elections();
  const never = new Promise<string>(() => {});
  const other = Promise.withResolvers<string>();
  const [lost, waiting] = [elections.guard('a', never), elections.guard('b', other.promise)];
  elections.elected('a');
  await assert.rejects(lost, LeaderChanged);
  other.resolve('answered');
  assert.equal(await waiting, 'answered');
});

test('what comes after the election waits for its own answer', async () => {
  const elections = new Elections();
  await assert.rejects(elections.guard('a', Promise.reject(new Error('no'))), /no/);
  elections.elected('a');
  assert.equal(await elections.guard('a', Promise.resolve('answered')), 'answered');
});

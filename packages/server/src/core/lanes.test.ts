import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lanes } from './lanes.ts';

test('tasks of one lane follow one another, those of another do not wait', async () => {
  const lanes = new Lanes();
  const log: string[] = [];
  const first = Promise.withResolvers<undefined>();
  lanes.run('a', async () => {
    log.push('a1');
    await first.promise;
    log.push('a1 done');
  });
  lanes.run('a', () => {
    log.push('a2');
  });
  lanes.run('b', () => {
    log.push('b1');
  });
  assert.deepEqual(log, ['a1', 'b1']);
  first.resolve(undefined);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(log, ['a1', 'b1', 'a1 done', 'a2']);
});

test('a lane in which nothing is under way starts at once, and without a lane so does everything', async () => {
  const lanes = new Lanes();
  const log: string[] = [];
  lanes.run('a', async () => {
    log.push('a1');
    await Promise.resolve();
  });
  await new Promise((resolve) => setImmediate(resolve));
  lanes.run('a', () => void log.push('a2'));
  lanes.run(undefined, () => new Promise<void>(() => undefined));
  lanes.run(undefined, () => void log.push('free'));
  assert.deepEqual(log, ['a1', 'a2', 'free']);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '@tutti/testkit';
import { Readiness } from './readiness.ts';

function arrange(probe: () => Promise<unknown>) {
  const clock = new VirtualClock();
  let asked = 0;
  const readiness = new Readiness(clock, () => {
    asked += 1;
    return probe();
  });
  return { clock, readiness, asked: () => asked };
}

test('CON-3: ready from the start to the drain, not before and not after', async () => {
  const { readiness } = arrange(() => Promise.resolve());
  assert.deepEqual(await readiness.check(), { ready: false, draining: false });
  readiness.started();
  assert.deepEqual(await readiness.check(), { ready: true, draining: false });
  readiness.drain();
  assert.deepEqual(await readiness.check(), { ready: false, draining: true });
  assert.equal(readiness.isReady, false);
});

test('a broker that fails or does not answer in a second: not ready, until it answers again', async () => {
  let answer: () => Promise<unknown> = () => Promise.reject(new Error('the disk is full'));
  const { clock, readiness } = arrange(() => answer());
  readiness.started();
  assert.equal((await readiness.check()).ready, false);
  answer = () => new Promise(() => undefined);
  await clock.advanceAsync(1_000);
  const hanging = readiness.check();
  await clock.advanceAsync(1_000);
  assert.equal((await hanging).ready, false);
  answer = () => Promise.resolve();
  await clock.advanceAsync(1_000);
  assert.equal((await readiness.check()).ready, true);
});

test('S28: however often it is asked, the broker is asked once a second', async () => {
  const { clock, readiness, asked } = arrange(() => Promise.resolve());
  readiness.started();
  await Promise.all(Array.from({ length: 1_000 }, () => readiness.check()));
  assert.equal(asked(), 1);
  await clock.advanceAsync(1_000);
  assert.ok((await Promise.all([readiness.check(), readiness.check()])).every(({ ready }) => ready));
  assert.equal(asked(), 2);
});

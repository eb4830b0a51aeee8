import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom, VirtualClock } from '@tutti/testkit';
import type { Log } from '../telemetry/telemetry.ts';
import { Readiness } from './readiness.ts';

function arrange(run: () => Promise<void>) {
  const clock = new VirtualClock();
  const told: string[] = [];
  let asked = 0;
  const tell = (_fields: unknown, message: string): void => void told.push(message);
  const log: Log = { debug: tell, info: tell, warn: tell, error: tell };
  const counted = (): Promise<void> => {
    asked += 1;
    return run();
  };
  const readiness = new Readiness({
    clock,
    random: new SeededRandom(1),
    log,
    checks: [{ name: 'memory', run: counted }],
    canaryIntervalMs: 5_000,
    canaryTimeoutMs: 2_000,
  });
  return { clock, readiness, told, asked: () => asked };
}

test('CON-3: ready from the start to the drain, not before and not after', async () => {
  const { readiness } = arrange(() => Promise.resolve());
  assert.equal(readiness.report().ready, false);
  assert.equal(readiness.report().checks[0]?.reason, 'not checked yet');
  await readiness.start();
  const { ready, draining } = readiness.report();
  assert.deepEqual({ ready, draining }, { ready: true, draining: false });
  readiness.drain();
  assert.deepEqual([readiness.report().ready, readiness.report().draining, readiness.isReady], [false, true, false]);
});

test('a check that fails or is late: not ready since then, until it succeeds again', async () => {
  let run = (): Promise<void> => Promise.reject(new Error('secret: the disk is full'));
  const { clock, readiness, told } = arrange(() => run());
  const startedMs = clock.now();
  await readiness.start();
  assert.deepEqual(readiness.report().checks, [{ name: 'memory', ok: false, sinceMs: startedMs, reason: 'failed' }]);
  assert.doesNotMatch(JSON.stringify(readiness.report()), /secret|disk/);
  await clock.advanceAsync(10_000);
  assert.equal(readiness.report().checks[0]?.sinceMs, startedMs, 'since the first failure');

  run = () => new Promise(() => undefined);
  await clock.advanceAsync(3_000);
  assert.equal(readiness.report().checks[0]?.reason, 'timed out');

  run = () => Promise.resolve();
  await clock.advanceAsync(3_000);
  assert.equal(readiness.report().ready, true);
  assert.deepEqual(told, [
    'not ready: a check does not succeed',
    'not ready: a check does not succeed',
    'a check succeeds again',
  ]);
});

test('S28: checks have their own pace; however often it is asked, nothing is done', async () => {
  const { clock, readiness, asked } = arrange(() => Promise.resolve());
  await readiness.start();
  for (let i = 0; i < 1_000; i += 1) readiness.report();
  assert.equal(asked(), 1);
  await clock.advanceAsync(5_000);
  assert.equal(asked(), 2);
  readiness.stop();
  await clock.advanceAsync(60_000);
  assert.equal(asked(), 2);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '@tutti/testkit';
import { Heartbeat } from './heartbeat.ts';

function start(): { clock: VirtualClock; heartbeat: Heartbeat; silentAt: number[] } {
  const clock = new VirtualClock();
  const silentAt: number[] = [];
  const heartbeat = new Heartbeat(clock, () => silentAt.push(clock.monotonic()));
  return { clock, heartbeat, silentAt };
}

test('CON-1: silence is told once, at the time allowed after the last sign of life', async () => {
  const { clock, heartbeat, silentAt } = start();
  await clock.advanceAsync(5_000);
  heartbeat.start(1_000);
  const begin = clock.monotonic();
  await clock.advanceAsync(600);
  heartbeat.beat();
  await clock.advanceAsync(700);
  heartbeat.beat();
  await clock.advanceAsync(10_000);
  assert.deepEqual(silentAt, [begin + 600 + 700 + 1_000]);
  assert.equal(clock.timers, 0);
});

test('CON-1: a new start counts from then, by its own time, and leaves one timer', async () => {
  const { clock, heartbeat, silentAt } = start();
  heartbeat.start(1_000);
  await clock.advanceAsync(900);
  const begin = clock.monotonic();
  heartbeat.start(3_000);
  assert.equal(clock.timers, 1);
  await clock.advanceAsync(10_000);
  assert.deepEqual(silentAt, [begin + 3_000]);
});

test('stopped, it says nothing and keeps no timer', async () => {
  const { clock, heartbeat, silentAt } = start();
  heartbeat.start(1_000);
  heartbeat.stop();
  assert.equal(clock.timers, 0);
  await clock.advanceAsync(5_000);
  assert.deepEqual(silentAt, []);
});

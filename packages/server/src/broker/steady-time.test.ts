import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '@tutti/testkit';
import { SteadyTime } from './steady-time.ts';

test('time goes on steadily while the wall clock jumps, and the jump is known', () => {
  const clock = new VirtualClock({ nowMs: 5_000 });
  clock.advance(1_000);
  const time = new SteadyTime(clock);
  clock.advance(250);
  assert.equal(time.now(), 6_250);
  assert.equal(time.jumped(time.now()), undefined);
  clock.jumpWall(86_400_000);
  clock.advance(250);
  assert.equal(time.now(), 6_500);
  assert.equal(time.jumped(time.now()), 86_406_500);
  clock.jumpWall(-86_400_000);
  assert.equal(time.jumped(time.now()), undefined);
});

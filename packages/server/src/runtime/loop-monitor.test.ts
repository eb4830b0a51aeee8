import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '@tutti/testkit';
import { LoopMonitor } from './loop-monitor.ts';

function arrange() {
  const clock = new VirtualClock();
  const monitor = new LoopMonitor(clock);
  monitor.start();
  /** One turn of the loop that takes so long, and with it the timers that became due. */
  const turn = (ms: number): void => {
    clock.pass(ms);
    clock.advance(0);
  };
  return { clock, monitor, turn };
}

test('CON-2: an idle loop is not late', () => {
  const { clock, monitor } = arrange();
  clock.advance(10_000);
  assert.equal(monitor.lagMs, 0);
});

test('CON-2: a loop that is late turn after turn is seen within two of them', () => {
  const { monitor, turn } = arrange();
  turn(450);
  turn(450);
  assert.ok(monitor.lagMs > 250, String(monitor.lagMs));
});

test('CON-2: one pause is no overload, and is soon forgotten', () => {
  const { clock, monitor, turn } = arrange();
  turn(350);
  assert.ok(monitor.lagMs < 250, String(monitor.lagMs));
  clock.advance(1_000);
  assert.ok(monitor.lagMs < 1, String(monitor.lagMs));
});

test('CON-2: within a turn that hangs, the lateness so far counts', () => {
  const { clock, monitor } = arrange();
  clock.pass(2_000);
  assert.ok(monitor.lagMs > 900, String(monitor.lagMs));
});

test('a monitor that was stopped says nothing and leaves no timer', () => {
  const { clock, monitor, turn } = arrange();
  turn(5_000);
  monitor.stop();
  clock.advance(10_000);
  assert.equal(monitor.lagMs, 0);
  assert.equal(clock.timers, 0);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom, VirtualClock } from '@tutti/testkit';
import { TimerWheel, type Wakeable } from './timer-wheel.ts';

class Sleeper implements Wakeable {
  wheelSlot = -1;
  readonly wokenAt: number[] = [];
  wake(nowMs: number): void {
    this.wokenAt.push(nowMs);
  }
}

test('CON-1: an item is woken once, never early, and within a tick of its time', () => {
  const clock = new VirtualClock();
  const wheel = new TimerWheel(clock);
  const random = new SeededRandom(3);
  const sleepers = Array.from({ length: 500 }, () => ({ sleeper: new Sleeper(), ms: random.next() * 60_000 }));
  for (const { sleeper, ms } of sleepers) wheel.set(sleeper, ms);
  clock.advance(61_000);
  for (const { sleeper, ms } of sleepers) {
    assert.equal(sleeper.wokenAt.length, 1);
    const late = (sleeper.wokenAt[0] ?? 0) - ms;
    assert.ok(late >= 0 && late <= 500, `woken ${late} ms late`);
  }
  wheel.stop();
  assert.equal(clock.timers, 0);
});

test('setting again replaces, removing forgets', () => {
  const clock = new VirtualClock();
  const wheel = new TimerWheel(clock);
  const moved = new Sleeper();
  const removed = new Sleeper();
  wheel.set(moved, 1_000);
  wheel.set(moved, 5_000);
  wheel.set(removed, 1_000);
  wheel.remove(removed);
  clock.advance(4_900);
  assert.deepEqual(moved.wokenAt, []);
  clock.advance(600);
  assert.equal(moved.wokenAt.length, 1);
  assert.deepEqual(removed.wokenAt, []);
});

test('beyond one turn of the wheel an item is woken at its end, to set itself again', () => {
  const clock = new VirtualClock();
  const wheel = new TimerWheel(clock);
  const sleeper = new Sleeper();
  wheel.set(sleeper, Infinity);
  clock.advance(65_000);
  assert.equal(sleeper.wokenAt.length, 1);
});

test('CON-1: after a pause longer than the wheel everything due is woken, one tick later', () => {
  let nowMs = 0;
  let tick: (() => void) | undefined;
  const wheel = new TimerWheel({
    now: () => nowMs,
    monotonic: () => nowMs,
    idle: () => nowMs,
    soon: () => undefined,
    after: (_ms, fn) => {
      tick = fn;
      return { cancel: () => undefined };
    },
  });
  const sleepers = Array.from({ length: 60 }, () => new Sleeper());
  sleepers.forEach((sleeper, i) => {
    wheel.set(sleeper, i * 1_000);
  });
  nowMs = 600_000;
  tick?.();
  assert.ok(
    sleepers.every((sleeper) => sleeper.wokenAt.length === 0),
    'what lies unread is heard first',
  );
  nowMs += 250;
  tick?.();
  assert.ok(sleepers.every((sleeper) => sleeper.wokenAt.length === 1));
});

test('an item may set itself again while it is woken', () => {
  const clock = new VirtualClock();
  const wheel = new TimerWheel(clock);
  const wokenAt: number[] = [];
  const item: Wakeable = {
    wheelSlot: -1,
    wake: (nowMs) => {
      wokenAt.push(nowMs);
      wheel.set(item, 1_000);
    },
  };
  wheel.set(item, 1_000);
  clock.advance(10_500);
  assert.ok(wokenAt.length >= 8 && wokenAt.length <= 10, `${wokenAt.length} times`);
});

test('an item that is taken off by one woken before it is not woken', () => {
  const clock = new VirtualClock();
  const wheel = new TimerWheel(clock);
  const second = new Sleeper();
  const first: Wakeable = {
    wheelSlot: -1,
    wake: () => {
      wheel.remove(second);
    },
  };
  wheel.set(first, 1_000);
  wheel.set(second, 1_000);
  clock.advance(2_000);
  assert.deepEqual(second.wokenAt, []);
  wheel.set(second, 1_000);
  clock.advance(2_000);
  assert.equal(second.wokenAt.length, 1, 'the wheel goes on');
});

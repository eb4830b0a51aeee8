import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from './virtual-clock.ts';

test('timers fire in order of time, then in the order they were set, each at its own moment', () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  const note = (name: string) => () => seen.push(`${name}@${clock.monotonic()}`);
  clock.after(20, note('c'));
  clock.after(10, note('a'));
  clock.after(10, note('b'));
  clock.after(30, note('late'));
  clock.soon(note('soon'));
  clock.advance(25);
  assert.deepEqual(seen, ['soon@0', 'a@10', 'b@10', 'c@20']);
  assert.equal(clock.monotonic(), 25);
  assert.equal(clock.timers, 1);
});

test('what a callback sets runs within the same advance when it falls due there', () => {
  const clock = new VirtualClock();
  const at: number[] = [];
  const again = (): void => {
    at.push(clock.monotonic());
    clock.after(10, again);
  };
  clock.after(10, again);
  clock.advance(35);
  assert.deepEqual(at, [10, 20, 30]);
});

test('a cancelled timer never fires, also when it was already due; cancelling again is harmless', () => {
  const clock = new VirtualClock();
  const fired: string[] = [];
  const victim = clock.after(10, () => fired.push('victim'));
  clock.after(5, () => fired.push('early'));
  const sibling = clock.after(10, () => fired.push('sibling'));
  clock.advance(7);
  victim.cancel();
  victim.cancel();
  clock.advance(10);
  sibling.cancel();
  assert.deepEqual(fired, ['early', 'sibling']);
  const killer = new VirtualClock();
  killer.after(1, () => second.cancel());
  const second = killer.after(1, () => fired.push('second'));
  killer.advance(1);
  assert.equal(fired.includes('second'), false);
});

test('step runs any of the ready callbacks first, so that every interleaving can be tried', () => {
  const orders = new Set<string>();
  for (let first = 0; first < 3; first++) {
    for (let second = 0; second < 2; second++) {
      const clock = new VirtualClock();
      let order = '';
      for (const name of ['a', 'b', 'c']) clock.soon(() => (order += name));
      assert.equal(clock.ready, 3);
      clock.step(first);
      clock.step(second);
      clock.step();
      assert.equal(clock.step(), false);
      orders.add(order);
    }
  }
  assert.equal(orders.size, 6);
});

test('advanceAsync lets promises settle between callbacks', async () => {
  const clock = new VirtualClock();
  const seen: string[] = [];
  const wait = (ms: number): Promise<void> => new Promise((resolve) => clock.after(ms, resolve));
  const work = async (name: string): Promise<void> => {
    for (let i = 0; i < 3; i++) {
      await wait(10);
      await Promise.resolve();
      seen.push(`${name}${clock.monotonic()}`);
    }
  };
  const both = Promise.all([work('a'), work('b')]);
  await clock.advanceAsync(30);
  await both;
  assert.deepEqual(seen, ['a10', 'b10', 'a20', 'b20', 'a30', 'b30']);
});

test('runUntilIdle moves time as far as timers ask, and names an endless loop', () => {
  const clock = new VirtualClock({ stepsMax: 100 });
  let done = false;
  clock.after(1_000, () => clock.soon(() => clock.after(500, () => (done = true))));
  clock.runUntilIdle();
  assert.equal(done, true);
  assert.equal(clock.monotonic(), 1_500);
  const forever = (): void => clock.soon(forever);
  clock.soon(forever);
  assert.throws(() => clock.runUntilIdle(), /still not idle after 100 callbacks/);
});

test('the wall clock may jump; spans and timers do not notice', () => {
  const clock = new VirtualClock({ nowMs: 1_000_000 });
  let fired = false;
  clock.after(100, () => (fired = true));
  clock.jumpWall(-3_600_000);
  clock.advance(99);
  assert.equal(fired, false);
  assert.equal(clock.now(), 1_000_000 - 3_600_000 + 99);
  clock.advance(1);
  assert.equal(fired, true);
});

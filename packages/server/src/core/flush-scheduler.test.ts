import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '@tutti/testkit';
import { FlushScheduler, type Flushable } from './flush-scheduler.ts';

const fail = (error: unknown): void => assert.fail(String(error));

/** A clock whose time passes while something is flushed. */
function slow(clock: VirtualClock, log: string[], name: string, ms: number): Flushable {
  return {
    flushPending: false,
    flush: () => {
      log.push(`${name}@${clock.monotonic()}`);
      clock.pass(ms);
    },
  };
}

test('idle: what waits leaves at the end of the turn, channels before connections', () => {
  const clock = new VirtualClock();
  const scheduler = new FlushScheduler(clock, 25, fail);
  const log: string[] = [];
  scheduler.connection({ flushPending: false, flush: () => log.push('connection') });
  scheduler.channel({ flushPending: false, flush: () => log.push('channel') });
  assert.deepEqual(log, [], 'nothing leaves inside the turn that produced it');
  clock.step();
  assert.deepEqual(log, ['channel', 'connection']);
  assert.equal(clock.ready, 0, 'one flush took both');
});

test('a connection that a channel reaches is flushed in the same turn, once', () => {
  const clock = new VirtualClock();
  const scheduler = new FlushScheduler(clock, 25, fail);
  let flushed = 0;
  const connection: Flushable = { flushPending: false, flush: () => (flushed += 1) };
  const reach = (): void => {
    scheduler.connection(connection);
  };
  scheduler.channel({ flushPending: false, flush: reach });
  scheduler.channel({ flushPending: false, flush: reach });
  clock.step();
  assert.equal(flushed, 1);
  assert.equal(clock.ready, 0);
});

test('busy: the next flush waits for as long as the last one took, within the bound', () => {
  const clock = new VirtualClock();
  const scheduler = new FlushScheduler(clock, 25, fail);
  const log: string[] = [];
  const short = slow(clock, log, 'short', 10);
  const long = slow(clock, log, 'long', 400);
  scheduler.channel(short);
  clock.advance(0);
  scheduler.channel(long);
  clock.advance(0);
  assert.deepEqual(log, ['short@0'], 'not yet');
  clock.advance(10);
  assert.deepEqual(log, ['short@0', 'long@20']);
  scheduler.channel(short);
  clock.advance(24);
  assert.equal(log.length, 2);
  clock.advance(1);
  assert.equal(log.at(-1), 'short@445', '420 when the long one ended, and the bound of 25');
});

test('a delay of 0 never holds anything back', () => {
  const clock = new VirtualClock();
  const scheduler = new FlushScheduler(clock, 0, fail);
  const log: string[] = [];
  const long = slow(clock, log, 'long', 400);
  scheduler.channel(long);
  clock.advance(0);
  scheduler.channel(long);
  clock.advance(0);
  assert.deepEqual(log, ['long@0', 'long@400']);
});

test('what comes in while connections are flushed goes with the next flush', () => {
  const clock = new VirtualClock();
  const scheduler = new FlushScheduler(clock, 25, fail);
  const log: string[] = [];
  const later: Flushable = { flushPending: false, flush: () => log.push('later') };
  scheduler.connection({
    flushPending: false,
    flush: () => {
      log.push('first');
      scheduler.channel(later);
    },
  });
  clock.step();
  assert.deepEqual(log, ['first']);
  clock.advance(1);
  assert.deepEqual(log, ['first', 'later']);
});

test('S23: one that throws is reported, the others are flushed, and so is everything later', () => {
  const clock = new VirtualClock();
  const bugs: unknown[] = [];
  const scheduler = new FlushScheduler(clock, 25, (error) => bugs.push(error));
  const log: string[] = [];
  const broken: Flushable = {
    flushPending: false,
    flush: () => {
      throw new Error('oh dear');
    },
  };
  const sound: Flushable = { flushPending: false, flush: () => log.push('sound') };
  scheduler.channel(broken);
  scheduler.channel(sound);
  clock.advance(0);
  scheduler.connection(sound);
  clock.advance(50);
  assert.equal(bugs.length, 1);
  assert.deepEqual(log, ['sound', 'sound']);
});

test('each flush tells how long it took', () => {
  const clock = new VirtualClock();
  const took: number[] = [];
  const scheduler = new FlushScheduler(clock, 25, fail, (ms) => void took.push(ms));
  scheduler.connection({ flushPending: false, flush: () => clock.pass(7) });
  clock.runUntilIdle();
  assert.deepEqual(took, [7]);
});

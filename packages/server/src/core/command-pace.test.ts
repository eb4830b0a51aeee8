import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CommandPace } from './command-pace.ts';

test('S21: a second of commands at once, then as many a second as allowed', () => {
  const pace = new CommandPace();
  assert.equal(pace.spend(1_000, 0, 1_000, 5_000), 0);
  assert.equal(pace.spend(100, 0, 1_000, 5_000), 100);
  assert.equal(pace.spend(400, 0, 1_000, 5_000), 500);
  assert.equal(pace.spend(499, 0, 1_000, 6_000), 0);
});

test('S21: over any time, what is read stays within rate and burst', () => {
  const pace = new CommandPace();
  let nowMs = 0;
  let read = 0;
  while (nowMs < 10_000) {
    read += 7;
    nowMs += pace.spend(7, 300, 200, nowMs);
  }
  assert.ok(read <= 200 + 10 * 200 + 2 * 7, `${read} commands in 10 s`);
  assert.ok(read >= 10 * 200, `only ${read} commands in 10 s`);
});

test('S21: a long frame counts for more than its one command; an empty one counts, too', () => {
  const long = new CommandPace();
  assert.equal(long.spend(1, 64 * 1024, 17, 0), 0);
  assert.ok(long.spend(0, 0, 17, 0) > 0);
});

test('a hold is never so short that holding costs more than it saves; a quiet time earns no more than the burst', () => {
  const pace = new CommandPace();
  pace.spend(1_000, 0, 1_000, 0);
  assert.equal(pace.spend(1, 0, 1_000, 0), 50);
  assert.equal(pace.spend(1_000, 0, 1_000, 3_600_000), 0);
  assert.ok(pace.spend(1, 0, 1_000, 3_600_000) > 0);
});

test('a rate of 0 holds nobody', () => {
  const pace = new CommandPace();
  assert.equal(pace.spend(1_000_000, 0, 0, 0), 0);
});

test('S21: bytes have a rate of their own, and the longer of both holds counts', () => {
  const pace = new CommandPace();
  assert.equal(pace.spendBytes(64_000, 64_000, 0), 0, 'a second of bytes at once');
  assert.equal(pace.spendBytes(32_000, 64_000, 0), 500);
  assert.equal(pace.spend(1, 0, 1_000, 0), 0, 'commands are counted apart');
  assert.equal(pace.spendBytes(64_000, 64_000, 1_500), 0);
  assert.equal(pace.spendBytes(1_000_000, 0, 1_500), 0);
});

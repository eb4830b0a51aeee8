import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '@tutti/testkit/virtual-clock';
import { nullTelemetry } from '../telemetry/null-telemetry.ts';
import type { Connection } from '../transport/transport.ts';
import { CommandPace } from './command-pace.ts';
import type { Limits } from './limits.ts';

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

/** A connection that counts how long it is held, at one moment. */
function heldAt(commandRateMax: number): { pace: CommandPace; keep(commands: number, bytes?: number): number } {
  const pace = new CommandPace();
  let heldMs = 0;
  const connection = { hold: (ms: number) => void (heldMs += ms) } as unknown as Connection;
  const services = {
    limits: { commandRateMax, receivedBytesRateMax: 0 } as Limits,
    clock: new VirtualClock(),
    telemetry: nullTelemetry,
  };
  return {
    pace,
    keep(commands, bytes = 0) {
      pace.keep(connection, commands, bytes, services);
      return heldMs;
    },
  };
}

test('S21: a long frame counts for more than its one command; an empty one counts, too', () => {
  const { keep } = heldAt(17);
  assert.equal(keep(1, 64 * 1024), 0);
  assert.ok(keep(0) > 0);
});

test('S21: answers to what was asked take nothing from the commands of a client; what comes with them does', () => {
  const { pace, keep } = heldAt(10);
  for (let i = 0; i < 1_000; i += 1) {
    pace.spare();
    assert.equal(keep(1, 2), 0);
  }
  pace.spare();
  assert.equal(keep(11, 100), 0, 'ten of them are commands');
  assert.ok(keep(1) > 0);
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

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom, VirtualClock } from '@tutti/testkit';
import { CircuitBreaker, failuresInRowMax, openMsMax } from './circuit-breaker.ts';

function scene() {
  const clock = new VirtualClock();
  const breaker = new CircuitBreaker({ clock, random: new SeededRandom(1) });
  const attempt = (hasFailed: boolean): boolean => {
    const ticket = breaker.admit();
    if (ticket !== undefined) breaker.settle(ticket, hasFailed);
    return ticket !== undefined;
  };
  const open = (): void => {
    for (let i = 0; i < failuresInRowMax; i += 1) attempt(true);
    assert.equal(breaker.state, 'open');
  };
  return { clock, breaker, attempt, open };
}

test('failures in a row open it, and one success among them does not let them count', () => {
  const { breaker, attempt } = scene();
  for (const hasFailed of [true, true, true, true, false, true, true, true, true]) attempt(hasFailed);
  assert.equal(breaker.state, 'closed');
  attempt(true);
  assert.equal(breaker.state, 'open');
  assert.equal(breaker.admit(), undefined);
});

test('half of many that fail open it, too', () => {
  const { breaker, attempt } = scene();
  for (let i = 0; i < 19; i += 1) attempt(i % 2 === 0);
  assert.equal(breaker.state, 'closed');
  attempt(true);
  assert.equal(breaker.state, 'open');
});

test('after its time one try goes ahead, alone; it closes or opens for longer', () => {
  const { clock, breaker, attempt, open } = scene();
  open();
  clock.advance(1_000);
  const probe = breaker.admit();
  assert.ok(probe !== undefined);
  assert.deepEqual([breaker.state, breaker.admit()], ['half_open', undefined]);
  breaker.settle(probe, true);
  assert.equal(breaker.state, 'open');
  clock.advance(1_000);
  assert.equal(breaker.admit(), undefined, 'twice as long as the first time, less a quarter at most');
  clock.advance(1_000);
  assert.ok(attempt(false));
  assert.equal(breaker.state, 'closed');
  open();
  clock.advance(1_000);
  assert.ok(attempt(false), 'as short as the first time again');
});

test('it never stays open for longer than its bound', () => {
  const { clock, attempt, open } = scene();
  open();
  for (let i = 0; i < 20; i += 1) {
    clock.advance(openMsMax);
    assert.ok(attempt(true), String(i));
  }
});

test('what comes back late says nothing of now', () => {
  const { clock, breaker, open } = scene();
  const late = [breaker.admit()!, breaker.admit()!];
  open();
  breaker.settle(late[0]!, false);
  assert.equal(breaker.state, 'open');
  clock.advance(1_000);
  const probe = breaker.admit()!;
  breaker.settle(late[1]!, true);
  assert.equal(breaker.state, 'half_open');
  breaker.settle(probe, false);
  assert.equal(breaker.state, 'closed');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '@tutti/testkit/virtual-clock';
import { Turns } from './turns.ts';

/** Lets the turn end in which `begin` was called. */
function endTurn(clock: VirtualClock): void {
  clock.advance(0);
}

test('what is read after the loop waited was read at once', () => {
  const clock = new VirtualClock();
  const turns = new Turns(clock);
  clock.advance(500);
  turns.begin();
  assert.equal(turns.unreadMs(clock.monotonic()), 0);
});

test('what is read after work may have waited as long as that took since the loop looked last', () => {
  const clock = new VirtualClock();
  const turns = new Turns(clock);
  clock.advance(500);
  turns.begin();
  clock.pass(30);
  endTurn(clock);
  turns.begin();
  assert.equal(turns.unreadMs(clock.monotonic()), 30);
  clock.pass(5);
  turns.begin();
  assert.equal(turns.unreadMs(clock.monotonic()), 35, 'what is acted on later in the turn waited for what came first');
  endTurn(clock);
  turns.begin();
  assert.equal(turns.unreadMs(clock.monotonic()), 5, 'the turn before is all that counts');
});

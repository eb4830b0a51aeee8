import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '@tutti/testkit/virtual-clock';
import { StreamPings } from './stream-pings.ts';

const ping = { bytes: Buffer.from('{}'), binary: false };

function stream() {
  const clock = new VirtualClock();
  const confirmed: [roundTripMs: number, aheadBytes: number][] = [];
  let written = 0;
  const pings = new StreamPings(clock, {
    ping: () => void (written += 1),
    confirmed: (...told) => void confirmed.push(told),
  });
  return { clock, pings, confirmed, written: () => written };
}

test('BP-2: answers are counted: each confirms the oldest ping, and what was sent before it', () => {
  const { clock, pings, confirmed, written } = stream();
  pings.begin(ping);
  for (const bytes of [100, 20, 3]) {
    pings.sent(bytes);
    pings.mark();
    clock.advance(10);
  }
  pings.sent(7);
  assert.deepEqual([written(), pings.waiting, pings.unconfirmed], [3, 3, 130]);
  assert.ok(pings.answered());
  assert.deepEqual([pings.waiting, pings.unconfirmed], [2, 30]);
  assert.ok(pings.answered());
  assert.ok(pings.answered());
  assert.deepEqual([pings.waiting, pings.unconfirmed], [0, 7], 'no mark follows the last');
  assert.deepEqual(confirmed, [
    [30, 100],
    [20, 120],
    [10, 123],
  ]);
});

test('S21: an answer that nobody asked for confirms nothing', () => {
  const { pings, confirmed } = stream();
  assert.equal(pings.answered(), false, 'before there was a ping');
  pings.begin(ping);
  pings.sent(1_000);
  assert.equal(pings.answered(), false);
  pings.mark();
  assert.deepEqual([pings.answered(), pings.answered()], [true, false]);
  assert.equal(confirmed.length, 1);
});

test('no ping leaves before the peer was told to answer them; one that was asked for follows then', () => {
  const { pings, written } = stream();
  pings.sent(40_000);
  pings.mark();
  pings.mark();
  assert.deepEqual([written(), pings.waiting, pings.unconfirmed], [0, 0, 40_000]);
  pings.begin(ping);
  assert.deepEqual([written(), pings.waiting], [1, 1]);
  pings.answered();
  assert.equal(pings.unconfirmed, 0);
});

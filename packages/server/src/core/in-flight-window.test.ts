import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InFlightWindow } from './in-flight-window.ts';

test('BP-2: a full window grows while round trips stay near their best, up to the bound', () => {
  const window = new InFlightWindow(256 * 1024);
  const first = window.bytes;
  for (let i = 0; i < 100; i += 1) {
    window.full();
    window.confirmed(20 + (i % 10));
  }
  assert.ok(first < 256 * 1024);
  assert.equal(window.bytes, 256 * 1024);
});

test('BP-2: it shrinks when bytes only queue on the way, down to a floor', () => {
  const window = new InFlightWindow(256 * 1024);
  window.confirmed(10);
  for (let i = 0; i < 100; i += 1) {
    window.full();
    window.confirmed(500);
  }
  assert.equal(window.bytes, 16 * 1024);
});

test('a window that was not full tells nothing, and stays', () => {
  const window = new InFlightWindow(256 * 1024);
  const { bytes } = window;
  for (const roundTripMs of [1, 900, 5, 2_000]) window.confirmed(roundTripMs);
  assert.equal(window.bytes, bytes);
});

test('a bound below the floor is kept', () => {
  const window = new InFlightWindow(4_096);
  window.confirmed(1);
  window.full();
  window.confirmed(1_000);
  assert.ok(window.bytes <= 4_096);
});

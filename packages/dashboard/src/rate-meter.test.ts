import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RateMeter } from './rate-meter.ts';

test('the rate is the mean of the complete seconds in the window', () => {
  const meter = new RateMeter(3, 10_000);
  for (let i = 0; i < 6; i += 1) meter.add(10_100);
  for (let i = 0; i < 2; i += 1) meter.add(11_900);
  meter.add(12_000, 100);
  assert.equal(meter.perSecond(12_500), 4);
});

test('in the first second the running count is shown', () => {
  const meter = new RateMeter(3, 10_000);
  meter.add(10_100);
  assert.equal(meter.perSecond(10_200), 1);
});

test('old seconds leave the window, also after a long silence', () => {
  const meter = new RateMeter(3, 10_000);
  meter.add(10_500, 30);
  assert.equal(meter.perSecond(13_000), 10);
  assert.equal(meter.perSecond(14_000), 0);
  meter.add(500_000, 9);
  assert.equal(meter.perSecond(501_000), 3);
});

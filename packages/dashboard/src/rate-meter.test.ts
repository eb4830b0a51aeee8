import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RateMeter } from './rate-meter.ts';

test('the rate is the mean of the complete seconds in the window', () => {
  const meter = new RateMeter(3, 9_700);
  meter.add(9_800, 50);
  meter.add(10_100, 6);
  meter.add(11_900, 2);
  meter.add(12_000, 100);
  assert.equal(meter.perSecond(12_500), 4);
});

test('before there is a complete second, what came is spread over the time so far', () => {
  const meter = new RateMeter(3, 10_500);
  meter.add(10_600, 12);
  assert.equal(meter.perSecond(10_700), 12);
  meter.add(11_200, 6);
  assert.equal(meter.perSecond(11_700), 15);
});

test('old seconds leave the window, also after a long silence', () => {
  const meter = new RateMeter(3, 9_000);
  meter.add(10_500, 30);
  assert.equal(meter.perSecond(13_000), 10);
  assert.equal(meter.perSecond(14_000), 0);
  meter.add(500_000, 9);
  assert.equal(meter.perSecond(501_000), 3);
});

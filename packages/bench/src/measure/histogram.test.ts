import assert from 'node:assert/strict';
import test from 'node:test';
import { Histogram } from './histogram.ts';

test('quantiles are exact for small values, and within 1/32 above', () => {
  for (const scale of [1, 17, 1_000, 123_457]) {
    const histogram = new Histogram();
    for (let i = 1; i <= 1_000; i += 1) histogram.add(i * scale);
    for (const share of [0.001, 0.01, 0.5, 0.9, 0.99, 1]) {
      const exact = Math.ceil(share * 1_000) * scale;
      const found = histogram.quantile(share);
      assert.ok(found >= exact && found <= exact * (1 + 1 / 32), `${share} of ${scale}: ${found}, not ${exact}`);
      if (exact < 32) assert.equal(found, exact);
    }
  }
});

test('merged parts give what the whole gives', () => {
  const whole = new Histogram();
  const merged = new Histogram();
  for (let part = 0; part < 3; part += 1) {
    const histogram = new Histogram();
    for (let i = 0; i < 500; i += 1) {
      const value = (i * 7919 * (part + 1)) % 100_003;
      histogram.add(value);
      whole.add(value);
    }
    merged.merge(histogram.sparse());
  }
  assert.equal(merged.total, 1_500);
  assert.deepEqual(merged.sparse(), whole.sparse());
});

test('an empty one answers 0; values out of range go to the ends', () => {
  const histogram = new Histogram();
  assert.equal(histogram.quantile(0.5), 0);
  histogram.add(-5);
  assert.equal(histogram.quantile(1), 0);
  histogram.add(Number.MAX_SAFE_INTEGER);
  assert.ok(histogram.quantile(1) > 2 ** 39);
});

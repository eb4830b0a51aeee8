import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyTick, readTick, seriesLengthMax, sparkline } from './quotes.ts';
import type { Quote } from './quotes.ts';

test('a tick is read with its key as the symbol where the payload has none', () => {
  assert.deepEqual(readTick({ symbol: 'ABC', price: 1, change: 2, time: 3 }, 'ABC', 9), {
    symbol: 'ABC',
    price: 1,
    change: 2,
    timeMs: 3,
  });
  assert.deepEqual(readTick({ price: 1 }, 'KEY', 9), { symbol: 'KEY', price: 1, change: 0, timeMs: 9 });
});

test('what is not a tick is not shown', () => {
  for (const data of [null, 4, 'x', {}, { price: 1 }, { symbol: 'A', price: '1' }, { symbol: 'A', price: Infinity }]) {
    assert.equal(readTick(data, undefined, 0), undefined);
  }
  assert.equal(readTick({ symbol: 'A'.repeat(33), price: 1 }, undefined, 0), undefined);
});

test('direction follows the price, and an older tick changes nothing', () => {
  const first = applyTick(undefined, { symbol: 'A', price: 10, change: 0, timeMs: 1 });
  const second = applyTick(first, { symbol: 'A', price: 11, change: 0, timeMs: 2 });
  assert.equal(first.direction, 'same');
  assert.equal(second.direction, 'up');
  assert.equal(applyTick(second, { symbol: 'A', price: 5, change: 0, timeMs: 1 }), second);
  assert.equal(applyTick(second, { symbol: 'A', price: 5, change: 0, timeMs: 3 }).direction, 'down');
});

test('BP-1: the series is bounded', () => {
  let quote: Quote | undefined;
  for (let index = 0; index < seriesLengthMax * 2; index += 1) {
    quote = applyTick(quote, { symbol: 'A', price: index, change: 0, timeMs: index });
  }
  assert.equal(quote?.series.length, seriesLengthMax);
  assert.equal(quote?.series.at(-1), seriesLengthMax * 2 - 1);
});

test('a sparkline spans the box, ends at the right, and a flat one lies in the middle', () => {
  const width = seriesLengthMax - 1;
  assert.equal(sparkline([1], width, 10), '');
  assert.equal(sparkline([1, 3, 2], width, 10), `${width - 2},10 ${width - 1},0 ${width},5`);
  assert.equal(sparkline([2, 2], width, 10), `${width - 1},5 ${width},5`);
});

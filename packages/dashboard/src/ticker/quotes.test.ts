import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyTick, pulseEveryMs, readTick, seriesLengthMax, sparkline } from './quotes.ts';
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

test('an older tick changes nothing: recovery may bring some', () => {
  const quote = applyTick(undefined, { symbol: 'A', price: 10, change: 0, timeMs: 2 });
  assert.equal(applyTick(quote, { symbol: 'A', price: 5, change: 0, timeMs: 1 }), quote);
});

test('a movement flashes in its direction, and not again within a second', () => {
  const ticks = [
    { price: 10, timeMs: 0 },
    { price: 10, timeMs: 100 },
    { price: 11, timeMs: 200 },
    { price: 9, timeMs: 200 + pulseEveryMs - 1 },
    { price: 8, timeMs: 200 + pulseEveryMs },
  ];
  let quote: Quote | undefined;
  const pulses = ticks.map(({ price, timeMs }) => {
    quote = applyTick(quote, { symbol: 'A', price, change: 0, timeMs });
    return quote.pulse;
  });
  const up = { direction: 'up', atMs: 200 };
  assert.deepEqual(pulses, [undefined, undefined, up, up, { direction: 'down', atMs: 200 + pulseEveryMs }]);
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

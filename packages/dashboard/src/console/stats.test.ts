import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addSample, chartSeconds, readStats, seriesOf } from './stats.ts';
import type { NodeStats } from './stats.ts';

function sample(timeSeconds: number, connections = 1): NodeStats {
  const stats = readStats({ time: timeSeconds * 1000, connections }, 0);
  assert.ok(stats);
  return stats;
}

test('every field may be missing or of another type', () => {
  const stats = readStats({ connections: '5', topChannels: [null, { channel: 1 }, { channel: 'a' }] }, 7000);
  assert.equal(stats?.timeSeconds, 7);
  assert.ok(Number.isNaN(stats?.connections));
  assert.equal(stats?.node, '');
  assert.deepEqual(stats?.topChannels, [{ channel: 'a', subscribers: Number.NaN }]);
  for (const data of [null, 3, 'x', []]) assert.equal(readStats(data, 0), undefined);
});

test('channels are sorted by subscribers', () => {
  const stats = readStats(
    {
      topChannels: [
        { channel: 'a', subscribers: 1 },
        { channel: 'b', subscribers: 5 },
      ],
    },
    0,
  );
  assert.deepEqual(
    stats?.topChannels.map((top) => top.channel),
    ['b', 'a'],
  );
});

test('a missing value is a hole in the line, and so is a silence', () => {
  const samples = [sample(10), { ...sample(11), connections: Number.NaN }, sample(20, 4)];
  assert.deepEqual(seriesOf(samples, ['connections']), [
    [10, 11, 15, 20],
    [1, null, null, 4],
  ]);
});

test('BP-1: samples are bounded by the span of the chart', () => {
  let samples: readonly NodeStats[] = [];
  for (let time = 1; time <= chartSeconds * 2; time += 1) samples = addSample(samples, sample(time));
  assert.equal(samples.length, chartSeconds);
});

test('time never falls within the series: a second sample replaces, a clock set back starts anew', () => {
  let samples = addSample(addSample([], sample(1000, 1)), sample(1000, 2));
  assert.deepEqual(
    samples.map((kept) => kept.connections),
    [2],
  );
  samples = addSample(samples, sample(999, 3));
  assert.deepEqual(
    samples.map((kept) => [kept.timeSeconds, kept.connections]),
    [[1000, 3]],
  );
  samples = addSample(samples, sample(5, 4));
  assert.deepEqual(
    samples.map((kept) => kept.timeSeconds),
    [5],
  );
});

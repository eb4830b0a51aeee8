import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatBytes,
  formatChange,
  formatCount,
  formatDay,
  formatDuration,
  formatPrice,
  formatRate,
  formatTimeOfDay,
} from './format.ts';

test('a count keeps its digits until ten thousand, then is shortened', () => {
  assert.equal(formatCount(0), '0');
  assert.equal(formatCount(9_999), '9,999');
  assert.equal(formatCount(12_345), '12.3k');
  assert.equal(formatCount(50_000), '50k');
  assert.equal(formatCount(1_250_000), '1.3M');
  assert.equal(formatCount(Number.NaN), '–');
});

test('a slow rate is not rounded to nothing', () => {
  assert.equal(formatRate(0.4), '0.4');
  assert.equal(formatRate(0), '0');
  assert.equal(formatRate(42.4), '42');
});

test('bytes are shown in binary units', () => {
  assert.equal(formatBytes(0), '0 B');
  assert.equal(formatBytes(1023), '1023 B');
  assert.equal(formatBytes(1536), '1.5 KiB');
  assert.equal(formatBytes(150 * 1024 * 1024), '150 MiB');
});

test('a duration names its two largest units', () => {
  assert.equal(formatDuration(0), '0 s');
  assert.equal(formatDuration(59.9), '59 s');
  assert.equal(formatDuration(61), '1 min 1 s');
  assert.equal(formatDuration(3600), '1 h');
  assert.equal(formatDuration(93_784), '1 d 2 h');
  assert.equal(formatDuration(-1), '–');
});

test('the day heading follows the calendar, not 24 hours', () => {
  const now = new Date(2026, 2, 4, 0, 5).getTime();
  assert.equal(formatDay(new Date(2026, 2, 4, 0, 1).getTime(), now), 'Today');
  assert.equal(formatDay(new Date(2026, 2, 3, 23, 59).getTime(), now), 'Yesterday');
  assert.equal(formatDay(new Date(2026, 1, 28, 12).getTime(), now), '28 February 2026');
});

test('time of day has two digits, and no text for a broken time', () => {
  assert.equal(formatTimeOfDay(new Date(2026, 0, 1, 7, 5).getTime()), '07:05');
  assert.equal(formatTimeOfDay(Number.NaN), '');
});

test('a change has a sign and a price has decimals that suit it', () => {
  assert.equal(formatChange(1.25), '+1.25%');
  assert.equal(formatChange(-0.5), '\u22120.50%');
  assert.equal(formatChange(0), '0.00%');
  assert.equal(formatPrice(1234.5), '1,234.50');
  assert.equal(formatPrice(0.0421), '0.0421');
});

import assert from 'node:assert/strict';
import test from 'node:test';
import { cpuMicroseconds, openFilesMax, residentBytes } from './process-usage.ts';

test('the processor time and the memory of a process agree with what it says itself', () => {
  const until = performance.now() + 100;
  while (performance.now() < until);
  const own = process.cpuUsage();
  const difference = Math.abs(cpuMicroseconds(process.pid) - own.user - own.system);
  assert.ok(difference <= 50_000, `${difference} µs apart`);
  const ratio = residentBytes(process.pid) / process.memoryUsage.rss();
  assert.ok(ratio > 0.9 && ratio < 1.1, `${ratio}`);
  assert.ok(openFilesMax() > 2);
});

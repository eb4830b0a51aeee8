import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '@tutti/testkit';
import { MemoryMonitor } from './memory-monitor.ts';

const GiB = 1024 ** 3;

function arrange(figures: { rss?: number; heap?: number; constrained?: number }) {
  const clock = new VirtualClock();
  let reads = 0;
  const monitor = new MemoryMonitor(clock, {
    rssBytes: () => {
      reads += 1;
      return figures.rss ?? 0;
    },
    heapBytes: () => figures.heap ?? 0,
    constrainedBytes: figures.constrained ?? 0,
    machineBytes: 16 * GiB,
    heapBytesMax: 4 * GiB,
  });
  return { clock, monitor, reads: () => reads };
}

test('CON-2: the fuller of the two counts: the memory of the container, or the heap', () => {
  assert.equal(arrange({ rss: GiB, heap: 0.1 * GiB, constrained: 2 * GiB }).monitor.share, 0.5);
  assert.equal(arrange({ rss: 4 * GiB, heap: 3 * GiB, constrained: 16 * GiB }).monitor.share, 0.75);
});

test('CON-2: without a limit of a container, and with an absurd one, the machine is the limit', () => {
  assert.equal(arrange({ rss: 8 * GiB }).monitor.share, 0.5);
  assert.equal(arrange({ rss: 8 * GiB, constrained: 2 ** 64 }).monitor.share, 0.5);
});

test('CON-2: the system is asked twice a second at most', () => {
  const { clock, monitor, reads } = arrange({ rss: GiB });
  for (let i = 0; i < 1_000; i += 1) assert.ok(monitor.share > 0);
  assert.equal(reads(), 1);
  clock.advance(500);
  assert.ok(monitor.share > 0);
  assert.equal(reads(), 2);
});

test('this process uses some of its memory, and not all', () => {
  const { share } = new MemoryMonitor(new VirtualClock());
  assert.ok(share > 0 && share < 1, String(share));
});

import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import type { Clock } from '../core/clock.ts';

/** Reading the memory of a process is a system call, and nothing changes that much sooner. */
const keepMs = 500;

/** Figures of this process, for tests to replace. */
export interface MemoryFigures {
  rssBytes(): number;
  heapBytes(): number;
  /** What the container allows, as `process.constrainedMemory` tells it: 0, or absurdly much, for no limit. */
  readonly constrainedBytes: number;
  readonly machineBytes: number;
  readonly heapBytesMax: number;
}

/** How much of the memory it may use the process uses. */
export class MemoryMonitor {
  readonly #clock: Clock;
  readonly #figures: MemoryFigures;
  readonly #bytesMax: number;
  #share = 0;
  #readAtMs = -Infinity;

  constructor(clock: Clock, figures: MemoryFigures = ofThisProcess()) {
    this.#clock = clock;
    this.#figures = figures;
    const { constrainedBytes, machineBytes } = figures;
    this.#bytesMax = constrainedBytes > 0 ? Math.min(constrainedBytes, machineBytes) : machineBytes;
  }

  /** 0 to 1: of the container's memory or of the heap, whichever will be full sooner. */
  get share(): number {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#readAtMs >= keepMs) {
      const { heapBytesMax } = this.#figures;
      this.#readAtMs = nowMs;
      this.#share = Math.max(this.#figures.rssBytes() / this.#bytesMax, this.#figures.heapBytes() / heapBytesMax);
    }
    return this.#share;
  }
}

function ofThisProcess(): MemoryFigures {
  return {
    rssBytes: () => process.memoryUsage.rss(),
    heapBytes: () => getHeapStatistics().used_heap_size,
    constrainedBytes: process.constrainedMemory(),
    machineBytes: totalmem(),
    heapBytesMax: getHeapStatistics().heap_size_limit,
  };
}

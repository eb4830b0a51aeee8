import type { Clock, Timer } from '../core/clock.ts';

/** The machine's time. Timers are unref'd: a process ends when its sockets and files do, not its timers. */
export class SystemClock implements Clock {
  now(): number {
    return Date.now();
  }

  monotonic(): number {
    return performance.now();
  }

  idle(): number {
    return performance.nodeTiming.idleTime;
  }

  after(ms: number, fn: () => void): Timer {
    return new SystemTimer(setTimeout(fn, Math.min(ms, timeoutMsMax)).unref());
  }

  /** `setImmediate` runs after the poll phase: whatever was readable then has been read. */
  soon(fn: () => void): void {
    setImmediate(fn);
  }
}

/** Node fires a longer timeout after 1 ms. 24.8 days; whoever waits longer sets the timer again. */
const timeoutMsMax = 2_147_483_647;

class SystemTimer implements Timer {
  readonly #timeout: NodeJS.Timeout;

  constructor(timeout: NodeJS.Timeout) {
    this.#timeout = timeout;
  }

  cancel(): void {
    clearTimeout(this.#timeout);
  }
}

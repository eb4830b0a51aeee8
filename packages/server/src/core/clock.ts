/**
 * Time, as core sees it. Core touches no other clock or timer, so that a simulation can run a
 * node on virtual time (docs/spec/simulation; lint rule no-restricted-globals).
 */
export interface Clock {
  /** Wall time, milliseconds since 1970. May jump; never used to measure spans. */
  now(): number;
  /** Milliseconds since an arbitrary start; never goes back. May have a fraction. */
  monotonic(): number;
  /** Milliseconds that this process has waited with nothing to do, since an arbitrary start; never goes back. */
  idle(): number;
  /** Calls `fn` once, no earlier than `ms` from now. Does not keep the process alive. */
  after(ms: number, fn: () => void): Timer;
  /** Calls `fn` once, after the input and output that is ready now has been handled. */
  soon(fn: () => void): void;
}

export interface Timer {
  /** Idempotent; safe after the timer fired. */
  cancel(): void;
}

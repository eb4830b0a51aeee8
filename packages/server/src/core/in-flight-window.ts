const startBytes = 64 * 1024;
const minBytes = 16 * 1024;
const stepBytes = 16 * 1024;
/** How much longer than at its best a round trip may take before the window is too wide. */
const delayTargetMs = 40;
/** Share of the window between two marks. */
const marksPerWindow = 4;

/**
 * How many bytes may be on their way to one peer, unconfirmed (BP-2).
 *
 * Bytes in flight cannot be conflated, overtaken or taken back, so no more should be than keep the
 * link busy. Round trips of marks tell: while they take about as long as at their best, a window
 * that was full grows; once they take longer, bytes only queue on the way, and it shrinks. Never
 * above the configured bound, never below 16 KiB.
 */
export class InFlightWindow {
  readonly #bytesMax: number;
  #bytes: number;
  #bestMs = Infinity;
  #wasFull = false;
  #unmarked = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#bytes = Math.min(startBytes, bytesMax);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of one write while something waits: a mark behind each keeps the link busy while others travel. */
  get chunkBytes(): number {
    return Math.ceil(this.#bytes / marksPerWindow);
  }

  /** Bytes left; true where a mark is due behind them. */
  sent(bytes: number): boolean {
    this.#unmarked += bytes;
    if (this.#unmarked < this.chunkBytes) return false;
    this.#unmarked = 0;
    return true;
  }

  /** Something had to wait because the window was full. */
  full(): void {
    this.#wasFull = true;
  }

  /** A mark came back. */
  confirmed(roundTripMs: number): void {
    this.#bestMs = Math.min(this.#bestMs, roundTripMs);
    if (!this.#wasFull) return;
    this.#wasFull = false;
    const floor = Math.min(minBytes, this.#bytesMax);
    if (roundTripMs > this.#bestMs + delayTargetMs) this.#bytes = Math.max(floor, Math.floor(this.#bytes * 0.75));
    else this.#bytes = Math.min(this.#bytesMax, this.#bytes + stepBytes);
  }
}

/** What a window is made for: answers to marks may cost next to nothing, or a request each. */
export interface WindowShape {
  /** To begin with, while nothing is known of the peer. */
  readonly firstBytes: number;
  /** For a peer that took those in time. */
  readonly startBytes: number;
  /** A peer that takes long for so much is given no more at once. */
  readonly minBytes: number;
  /** A mark stands behind each such share of the window. */
  readonly marksPerWindow: number;
  /** True: the first bytes are marked at once, however few. */
  readonly marksFirst: boolean;
  /** How much longer than at its best a round trip may take before the window is too wide. */
  readonly delayTargetMs: number;
}

/**
 * Answered by the peer's own WebSocket, or by the kernel: a few bytes each. The first bytes are what a peer at
 * 1 KB/s takes in a second, the least is one publication of usual size.
 */
export const cheapMarks: WindowShape = {
  firstBytes: 1024,
  startBytes: 4 * 1024,
  minBytes: 512,
  marksPerWindow: 4,
  marksFirst: true,
  delayTargetMs: 25,
};

/**
 * Answered by a request of half a kilobyte and more, through whatever stands before the node: two a window, none
 * for a peer that is sent little, and a delay that keeps them below ten a second where the peer is the slower one.
 */
export const dearMarks: WindowShape = {
  firstBytes: 8 * 1024,
  startBytes: 32 * 1024,
  minBytes: 8 * 1024,
  marksPerWindow: 2,
  marksFirst: false,
  delayTargetMs: 250,
};

/** A link that takes its bytes at once earns so much without ever having been full. */
const earnedBytesMax = 64 * 1024;
/**
 * A small window may take longer: it shall shrink for a peer that is slow, not because this node, or the
 * radio of a phone, was busy for a moment.
 */
const smallBytes = 4 * 1024;
const smallDelayTargetMs = 250;
/** The window shrinks by no more at once: one late answer is no proof. */
const shrinkMost = 0.25;
/** A window this much smaller, and no answer sooner: what takes the time is not what we sent. */
const tellingShare = 0.5;
/** Best round trips older than this are measured anew: the way to the peer may have become longer. */
const bestAgeMaxMs = 30_000;

/** What the way of a mark to the peer and back told. */
export interface RoundTrip {
  /** From when it left to when its answer was acted on. */
  readonly ms: number;
  /** How much of that, at most, the answer waited for this node to read it. */
  readonly unreadMs: number;
  /** In flight before it when it left. */
  readonly aheadBytes: number;
}

/**
 * How many bytes may be on their way to one peer, unconfirmed (BP-2).
 *
 * Bytes in flight cannot be conflated, overtaken or taken back, so no more should be than keep the
 * link busy. Round trips of marks tell: while they take about as long as at their best, a window
 * that was full grows; once they take longer, bytes only queue on the way, and it shrinks to what
 * would have taken the time allowed. Never above the configured bound, never below the least of its shape.
 *
 * Time in which this node was too busy to read an answer is not the peer's (turns.ts): counted, windows
 * of fast readers would shrink just when many bytes are to be sent, which makes the node busier still.
 *
 * Where round trips do not become shorter with the window, bytes do not queue: the peer, the way to it
 * or this node takes that long for anything, and the window is given back. A reader that is busy for
 * 60 ms now and then would otherwise be given ever less, and be no sooner done.
 *
 * The best is first measured on the first bytes of the connection, which are few: measured on many,
 * it would contain the very queueing that is looked for. For the same reason the window shrinks while
 * the best is measured anew.
 */
export class InFlightWindow {
  readonly #bytesMax: number;
  readonly #shape: WindowShape;
  #bytes: number;
  #bestMs = Infinity;
  #bestAtMs = 0;
  #wasFull = false;
  #unmarked = 0;
  #isMarked = false;
  /** Marks sent before then tell of the window as it was. */
  #changedAtMs = -Infinity;
  /** What made the window shrink, until an answer tells whether that was of use. */
  #shrunk: { readonly bytes: number; readonly aheadBytes: number; readonly roundTripMs: number } | undefined;

  constructor(bytesMax: number, shape: WindowShape = cheapMarks) {
    this.#bytesMax = bytesMax;
    this.#shape = shape;
    this.#bytes = Math.min(shape.firstBytes, bytesMax);
    this.#isMarked = !shape.marksFirst;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of one write while something waits: a mark behind each keeps the link busy while others travel. */
  get chunkBytes(): number {
    return Math.ceil(this.#bytes / this.#shape.marksPerWindow);
  }

  /** Bytes left. */
  sent(bytes: number): void {
    this.#unmarked += bytes;
  }

  /**
   * Whether a mark is to follow what was sent. To be asked when bytes left, and when the window has changed: one
   * that shrank below what no mark follows would stay full for ever.
   */
  get isMarkDue(): boolean {
    return !this.#isMarked || this.#unmarked >= this.chunkBytes;
  }

  /** A mark leaves. */
  marked(): void {
    this.#isMarked = true;
    this.#unmarked = 0;
  }

  /** Something had to wait because the window was full. */
  full(): void {
    this.#wasFull = true;
  }

  /** A mark came back. */
  confirmed({ ms, unreadMs, aheadBytes }: RoundTrip, nowMs: number): void {
    const wasFull = this.#wasFull;
    this.#wasFull = false;
    const isOfNow = nowMs - ms >= this.#changedAtMs;
    // In doubt it was this node: the best is what was measured, and what is compared with it no more than the peer's part.
    const roundTripMs = Math.max(0, ms - unreadMs);
    if (isOfNow) this.#learn(roundTripMs, aheadBytes);
    if (isOfNow && ms <= this.#bestMs) {
      this.#bestMs = ms;
      this.#bestAtMs = nowMs;
    }
    const allowedMs = this.#bestMs + (this.#bytes > smallBytes ? this.#shape.delayTargetMs : smallDelayTargetMs);
    if (roundTripMs <= allowedMs) this.#grow(wasFull, aheadBytes);
    else if (wasFull && isOfNow) {
      const bytes = this.#bytes;
      this.#shrink(allowedMs / roundTripMs, nowMs);
      this.#shrunk ??= { bytes, aheadBytes, roundTripMs };
    }
    if (wasFull && nowMs - this.#bestAtMs > bestAgeMaxMs) this.#measureAnew(nowMs);
  }

  /** The kernel took what a mark followed, which tells nothing of the peer: enough to earn, and no more. */
  taken(): void {
    this.#wasFull = false;
    this.#grow(false, 0);
  }

  #learn(roundTripMs: number, aheadBytes: number): void {
    const shrunk = this.#shrunk;
    if (shrunk === undefined || aheadBytes >= shrunk.aheadBytes * tellingShare) return;
    this.#shrunk = undefined;
    const expectedMs = shrunk.roundTripMs * (aheadBytes / shrunk.aheadBytes);
    // Not even a quarter of the way to what it would be if all of the time were queueing.
    if (roundTripMs <= shrunk.roundTripMs - (shrunk.roundTripMs - expectedMs) / 4) return;
    this.#bestMs = roundTripMs;
    this.#bytes = shrunk.bytes;
  }

  #grow(wasFull: boolean, aheadBytes: number): void {
    const { firstBytes, startBytes } = this.#shape;
    const isFirst = this.#changedAtMs === -Infinity && this.#bytes < startBytes;
    // The first answer to more than a few bytes, and it came in time.
    if (isFirst && wasFull && aheadBytes >= (3 / 4) * firstBytes) {
      this.#bytes = Math.min(startBytes, this.#bytesMax);
      return;
    }
    const most = wasFull ? this.#bytesMax : Math.min(this.#bytesMax, Math.max(this.#bytes, earnedBytesMax));
    // By a mark's worth each: twice as much after a round trip.
    this.#bytes = Math.min(most, this.#bytes + this.chunkBytes);
  }

  #shrink(share: number, nowMs: number): void {
    const least = Math.min(this.#shape.minBytes, this.#bytesMax);
    this.#bytes = Math.max(least, Math.floor(this.#bytes * Math.max(shrinkMost, share)));
    this.#changedAtMs = nowMs;
  }

  #measureAnew(nowMs: number): void {
    this.#shrink(shrinkMost, nowMs);
    this.#shrunk = undefined;
    this.#bestMs = Infinity;
    this.#bestAtMs = nowMs;
  }
}

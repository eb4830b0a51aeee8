import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cheapMarks, dearMarks, InFlightWindow, type RoundTrip } from './in-flight-window.ts';

const KiB = 1024;

/** Of a node that has nothing else to do. */
const trip = (ms: number, aheadBytes: number): RoundTrip => ({ ms, unreadMs: 0, aheadBytes });

/** Bytes leave; whether a mark follows them. */
function marksBehind(window: InFlightWindow, bytes: number): boolean {
  window.sent(bytes);
  const { isMarkDue } = window;
  if (isMarkDue) window.marked();
  return isMarkDue;
}

/**
 * Keeps the window full through a link: bytes leave at its rate, one mark at a time comes back. Returns
 * the milliseconds that the last mark took.
 */
function drive(
  window: InFlightWindow,
  link: { kiBPerSecond: number; baseMs: number },
  marks: number,
  startMs = 0,
): { nowMs: number; roundTripMs: number } {
  let nowMs = startMs;
  let roundTripMs = 0;
  // The first bytes of a connection are few: the answer to its connect.
  window.sent(300);
  nowMs += link.baseMs + 300 / link.kiBPerSecond;
  window.confirmed(trip(link.baseMs + 300 / link.kiBPerSecond, 300), nowMs);
  for (let i = 0; i < marks; i += 1) {
    // A mark waits for all that is before it on the way.
    const aheadBytes = window.bytes;
    roundTripMs = link.baseMs + aheadBytes / link.kiBPerSecond;
    nowMs += roundTripMs;
    window.full();
    window.confirmed(trip(roundTripMs, aheadBytes), nowMs);
  }
  return { nowMs, roundTripMs };
}

test('BP-2: a full window grows while round trips stay near their best, up to the bound', () => {
  const window = new InFlightWindow(256 * KiB);
  const first = window.bytes;
  drive(window, { kiBPerSecond: 100_000, baseMs: 50 }, 40);
  assert.ok(first < 16 * KiB, 'little is known of a new peer');
  assert.equal(window.bytes, 256 * KiB);
});

test('BP-2: a peer at 1 KB/s is soon given no more than it takes in a second', () => {
  const window = new InFlightWindow(256 * KiB);
  const { nowMs } = drive(window, { kiBPerSecond: 1, baseMs: 30 }, 6);
  assert.ok(window.bytes <= KiB, `${window.bytes} bytes`);
  assert.ok(nowMs < 20_000, `after ${nowMs} ms`);
});

for (const kiBPerSecond of [200, 1_000, 5_000]) {
  test(`BP-5: at ${kiBPerSecond} KB/s bytes do not queue on the way for longer than the target`, () => {
    const window = new InFlightWindow(256 * KiB);
    const { roundTripMs } = drive(window, { kiBPerSecond, baseMs: 20 }, 100);
    assert.ok(roundTripMs < 20 + 2 * 25, `${roundTripMs} ms`);
    assert.ok(window.bytes / kiBPerSecond > 12, `${window.bytes} bytes do not keep the link busy`);
  });
}

test('what was sent before the window shrank does not shrink it again', () => {
  const window = new InFlightWindow(256 * KiB);
  const { nowMs } = drive(window, { kiBPerSecond: 100_000, baseMs: 20 }, 40);
  for (const late of [0, 1, 2, 3]) {
    window.full();
    window.confirmed(trip(90, window.bytes), nowMs + 200 + late);
  }
  assert.ok(Math.abs(window.bytes - 128 * KiB) < 4 * KiB, `a hiccup costs one step: ${window.bytes} bytes`);
});

test('one late answer shrinks it to a quarter at most, and it is back after a few round trips', () => {
  const window = new InFlightWindow(256 * KiB);
  const { nowMs } = drive(window, { kiBPerSecond: 100_000, baseMs: 20 }, 40);
  window.full();
  window.confirmed(trip(3_000, window.bytes), nowMs + 3_000);
  assert.equal(window.bytes, 64 * KiB);
  for (let i = 0; i < 8; i += 1) {
    window.full();
    window.confirmed(trip(20, window.bytes), nowMs + 3_100 + i);
  }
  assert.equal(window.bytes, 256 * KiB);
});

test('where a smaller window makes no answer come sooner, it is given back', () => {
  const window = new InFlightWindow(256 * KiB);
  let { nowMs } = drive(window, { kiBPerSecond: 100_000, baseMs: 10 }, 40);
  const widths: number[] = [];
  for (let i = 0; i < 20; i += 1) {
    // Whatever the window: the peer is busy, or the way to it has become longer.
    nowMs += 300;
    window.full();
    window.confirmed(trip(300, window.bytes), nowMs);
    widths.push(window.bytes);
  }
  assert.ok(Math.min(...widths) < 256 * KiB, 'at first it looks like queueing');
  assert.equal(window.bytes, 256 * KiB);
});

test('the best round trip is measured anew when it is old, on a small window', () => {
  const window = new InFlightWindow(256 * KiB);
  drive(window, { kiBPerSecond: 1_000, baseMs: 10 }, 50);
  const before = window.bytes;
  // From now on nothing is as quick as it was, but every answer is late because of what we sent.
  let nowMs = 60_000;
  let smallest = Infinity;
  for (let i = 0; i < 600; i += 1) {
    const aheadBytes = window.bytes;
    const roundTripMs = 40 + aheadBytes / 1_000;
    nowMs += roundTripMs;
    window.full();
    window.confirmed(trip(roundTripMs, aheadBytes), nowMs);
    smallest = Math.min(smallest, window.bytes);
  }
  assert.ok(smallest <= before / 4, `${smallest} bytes`);
  assert.ok(window.bytes > before / 2 && window.bytes < before * 2, `${window.bytes} bytes, ${before} before`);
});

test('a window that was not full grows only to what such a link has earned, and never shrinks', () => {
  const window = new InFlightWindow(256 * KiB);
  let nowMs = 0;
  for (let i = 0; i < 50; i += 1) window.confirmed(trip(5, 0), (nowMs += 10));
  assert.equal(window.bytes, 64 * KiB);
  for (let i = 0; i < 50; i += 1) window.confirmed(trip(900, 0), (nowMs += 1_000));
  assert.equal(window.bytes, 64 * KiB);
});

test('the first bytes are marked at once, later ones behind a share of the window', () => {
  const window = new InFlightWindow(256 * KiB);
  assert.equal(marksBehind(window, 100), true);
  assert.equal(marksBehind(window, 100), false);
  assert.equal(marksBehind(window, window.chunkBytes - 100), true);
});

test('BP-2: where an answer is a request, few bytes ask for none, and a quiet peer for none at all', () => {
  const window = new InFlightWindow(256 * KiB, dearMarks);
  // What the heartbeat asks anyway confirms what came before it.
  for (let minute = 0; minute < 1_000; minute += 1) {
    assert.equal(marksBehind(window, KiB), false);
    window.marked();
    window.confirmed(trip(40, KiB), minute * 60_000);
  }
  let marks = 0;
  for (let sent = 0; sent < 1_000 * KiB; sent += KiB) if (marksBehind(window, KiB)) marks += 1;
  assert.ok(marks > 0 && 1_000 / marks >= 16, `${marks} answers to 1,000 KiB`);
});

for (const shape of [cheapMarks, dearMarks]) {
  test(`BP-2: a window never stays full of bytes that no mark follows; ${shape.marksPerWindow} marks a window`, () => {
    const window = new InFlightWindow(256 * KiB, shape);
    const marks: { readonly sentMs: number; readonly position: number }[] = [];
    let [sent, confirmed, nowMs, seed] = [0, 0, 0, 1];
    const markIfDue = (): void => {
      if (!window.isMarkDue) return;
      window.marked();
      marks.push({ sentMs: nowMs, position: sent });
    };
    for (let i = 0; i < 5_000; i += 1) {
      seed = (seed * 48_271) % 2_147_483_647;
      const bytes = 1 + (seed % 9_000);
      while (window.bytes > sent - confirmed) {
        sent += Math.min(bytes, window.chunkBytes);
        window.sent(Math.min(bytes, window.chunkBytes));
        markIfDue();
      }
      window.full();
      const mark = marks.shift();
      assert.ok(mark !== undefined, `${sent - confirmed} bytes on their way, ${window.bytes} allowed, and no mark`);
      nowMs += seed % 5 === 0 ? 2_000 : 10;
      confirmed = mark.position;
      window.confirmed(trip(nowMs - mark.sentMs, sent - confirmed), nowMs);
      markIfDue();
    }
  });
}

test('BP-2: where an answer is a request, a slow peer has less than 17 KiB on the way, and is not asked all the time', () => {
  for (const kiBPerSecond of [1, 16, 100]) {
    const window = new InFlightWindow(256 * KiB, dearMarks);
    const { roundTripMs } = drive(window, { kiBPerSecond, baseMs: 30 }, 60);
    assert.ok(window.bytes <= Math.max(17, kiBPerSecond) * KiB, `${window.bytes} bytes at ${kiBPerSecond} KB/s`);
    assert.ok(
      roundTripMs / dearMarks.marksPerWindow > 100,
      `an answer each ${roundTripMs / dearMarks.marksPerWindow} ms`,
    );
  }
});

test('a bound below the floor is kept', () => {
  const window = new InFlightWindow(256);
  window.confirmed(trip(1, 0), 1);
  window.full();
  window.confirmed(trip(1_000, 256), 2_000);
  assert.ok(window.bytes <= 256);
});

test('BP-2: the kernel’s word alone earns a window, of 64 KiB and no more, and never above the bound', () => {
  for (const [bytesMax, most] of [
    [256 * KiB, 64 * KiB],
    [16 * KiB, 16 * KiB],
  ] as const) {
    const window = new InFlightWindow(bytesMax);
    for (let i = 0; i < 100; i += 1) window.taken();
    assert.equal(window.bytes, most);
  }
});

test('BP-5: what this node itself took to read an answer does not shrink the window', () => {
  const window = new InFlightWindow(256 * KiB);
  const { nowMs } = drive(window, { kiBPerSecond: 100_000, baseMs: 10 }, 40);
  const busy = (unreadMs: number): void => {
    for (let i = 1; i <= 20; i += 1) {
      window.full();
      window.confirmed({ ms: 300, unreadMs, aheadBytes: window.bytes }, nowMs + i * 300);
    }
  };
  busy(290);
  assert.equal(window.bytes, 256 * KiB);
  busy(0);
  const { nowMs: laterMs } = drive(window, { kiBPerSecond: 100_000, baseMs: 10 }, 40, nowMs + 60_000);
  window.full();
  window.confirmed({ ms: 300, unreadMs: 100, aheadBytes: window.bytes }, laterMs + 300);
  assert.ok(window.bytes < 256 * KiB, 'the rest of the time was the peer’s');
});

test('BP-2: a peer at 1 KB/s is never given more than it takes in two seconds', () => {
  const window = new InFlightWindow(256 * KiB);
  let nowMs = 0;
  let aheadBytes = 0;
  // Its answer to the connect came at once; from then on bytes leave as marks come back.
  window.sent(200);
  window.confirmed(trip(200, 200), (nowMs += 200));
  const marks: { readonly at: number; readonly aheadBytes: number }[] = [];
  let widest = 0;
  for (let i = 0; i < 40; i += 1) {
    while (aheadBytes < window.bytes) {
      aheadBytes += window.chunkBytes;
      marks.push({ at: nowMs, aheadBytes });
    }
    widest = Math.max(widest, aheadBytes);
    const mark = marks.shift();
    if (mark === undefined) break;
    const bytes = window.chunkBytes;
    nowMs += bytes;
    aheadBytes = Math.max(0, aheadBytes - bytes);
    window.full();
    window.confirmed(trip(nowMs - mark.at, mark.aheadBytes), nowMs);
  }
  assert.ok(widest <= 2_000, `${widest} bytes`);
});

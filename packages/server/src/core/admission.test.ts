import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom, VirtualClock } from '@tutti/testkit';
import { Admission, type AdmissionLimits } from './admission.ts';

function arrange(limits: Partial<AdmissionLimits> = {}) {
  const clock = new VirtualClock();
  const carried = { unauthenticated: 0, loopLagMs: 0, memoryShare: 0 };
  const load = {
    unauthenticated: () => carried.unauthenticated,
    loopLagMs: () => carried.loopLagMs,
    memoryShare: () => carried.memoryShare,
  };
  const defaults = { connectRateMax: 100, connectBurstMax: 50, unauthenticatedMax: 1_000, loopLagMaxMs: 250 };
  const admission = new Admission(
    { ...defaults, memoryHighWater: 0.85, ...limits },
    { clock, random: new SeededRandom(7), load },
  );
  const admitted = (asked: number): number => {
    let count = 0;
    for (let i = 0; i < asked; i += 1) if (admission.admit() === undefined) count += 1;
    return count;
  };
  return { clock, carried, admission, admitted };
}

test('CON-2: a burst is taken at once, then as many as the rate allows, in any second of a storm', () => {
  const { clock, admitted } = arrange();
  assert.equal(admitted(1_000), 50);
  const perTenth: number[] = [];
  for (let i = 0; i < 100; i += 1) {
    clock.advance(100);
    perTenth.push(admitted(200));
  }
  assert.deepEqual([...new Set(perTenth)], [10]);
  clock.advance(3_600_000);
  assert.equal(admitted(1_000), 50, 'a quiet hour saves up one burst, no more');
});

test('CON-2: late loop, full memory, many that did not authenticate: each refuses by its name, and no longer than it lasts', () => {
  const { carried, admission } = arrange();
  const cases = [
    ['loop_lag', 'loopLagMs', 250, 251],
    ['memory', 'memoryShare', 0.85, 0.86],
    ['handshakes', 'unauthenticated', 999, 1_000],
  ] as const;
  for (const [reason, what, fine, tooMuch] of cases) {
    carried[what] = fine;
    assert.equal(admission.admit(), undefined, reason);
    carried[what] = tooMuch;
    assert.equal(admission.admit()?.reason, reason);
    carried[what] = 0;
    assert.equal(admission.admit(), undefined, reason);
  }
});

test('CON-2: limits of 0 are off', () => {
  const { carried, admitted } = arrange({ connectRateMax: 0, loopLagMaxMs: 0, memoryHighWater: 0 });
  carried.loopLagMs = 60_000;
  carried.memoryShare = 1;
  assert.equal(admitted(10_000), 10_000);
});

test('CON-2: refusals that cost no place: what was refused takes no token, what came to nothing gives it back', () => {
  const { carried, admission, admitted } = arrange();
  carried.loopLagMs = 300;
  assert.equal(admitted(500), 0);
  carried.loopLagMs = 0;
  for (let i = 0; i < 500; i += 1) {
    assert.equal(admission.admit(), undefined);
    admission.giveBack();
  }
  assert.equal(admitted(500), 50, 'and nobody can give back more than there was');
});

test('CON-2: ten thousand who are refused at once are told to return over the time that it takes to let them in', () => {
  const { admission } = arrange({ connectRateMax: 500, connectBurstMax: 1 });
  const seconds = new Map<number, number>();
  for (let i = 0; i < 10_000; i += 1) {
    const { retryAfterMs } = admission.admit() ?? { retryAfterMs: 0 };
    const second = Math.floor(retryAfterMs / 1_000);
    seconds.set(second, (seconds.get(second) ?? 0) + 1);
  }
  seconds.delete(0);
  assert.ok(Math.max(...seconds.keys()) >= 15 && Math.max(...seconds.keys()) <= 30, 'at 500 a second it takes 20 s');
  assert.ok(Math.max(...seconds.values()) < 2_500, 'no second has a quarter of them');
});

test('CON-2: the span to return within falls again, and has an end however many are refused', () => {
  const { clock, admission, admitted } = arrange();
  admitted(1_000_000);
  for (let i = 0; i < 1_000; i += 1) assert.ok((admission.admit()?.retryAfterMs ?? 0) <= 30_000);
  clock.advance(60_000);
  admitted(50);
  for (let i = 0; i < 100; i += 1) assert.ok((admission.admit()?.retryAfterMs ?? 0) <= 5_000);
});

test('CON-3: a node that drains takes nobody, whatever else', () => {
  const { admission } = arrange({ connectRateMax: 0 });
  admission.drain();
  assert.equal(admission.admit()?.reason, 'draining');
});

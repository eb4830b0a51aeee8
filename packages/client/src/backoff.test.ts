import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '@tutti/testkit';
import { Backoff } from './backoff.ts';

const options = { minMs: 500, maxMs: 20_000 };

test('CON-4: the nth delay is spread over the whole of [floor, min(max, min * 2^n)]', () => {
  const rounds = 2_000;
  for (let n = 0; n < 9; n++) {
    const ceiling = Math.min(20_000, 500 * 2 ** n);
    const delays: number[] = [];
    for (let seed = 1; seed <= rounds; seed++) {
      const backoff = new Backoff(options, new SeededRandom(seed));
      for (let i = 0; i < n; i++) backoff.next();
      delays.push(backoff.next());
    }
    assert.ok(Math.min(...delays) >= 50, `floor of attempt ${n}`);
    assert.ok(Math.max(...delays) <= ceiling, `ceiling of attempt ${n}`);
    const mean = delays.reduce((sum, delay) => sum + delay, 0) / rounds;
    assert.ok(Math.abs(mean / ceiling - 0.5) < 0.05, `mean of attempt ${n} is ${mean / ceiling} of the ceiling`);
    // Full jitter: each tenth of the range is used alike, but for the lowest, which the floor moves up.
    for (let tenth = 2; tenth < 10; tenth++) {
      const share = delays.filter((delay) => Math.floor((delay / ceiling) * 10) === tenth).length / rounds;
      assert.ok(share > 0.07 && share < 0.13, `tenth ${tenth} of attempt ${n} has ${share}`);
    }
  }
});

test('CON-4: no delay is zero, whatever chance says, and none overflows after a thousand failures', () => {
  const zero = new Backoff(options, { next: () => 0, id: () => '' });
  const one = new Backoff(options, { next: () => 0.999999, id: () => '' });
  for (let i = 0; i < 1_000; i++) {
    assert.equal(zero.next(), 50);
    assert.ok(one.next() <= 20_000);
  }
});

test('reset begins again at the first ceiling', () => {
  const backoff = new Backoff(options, { next: () => 0.5, id: () => '' });
  assert.deepEqual([backoff.next(), backoff.next(), backoff.next()], [250, 500, 1_000]);
  backoff.reset();
  assert.equal(backoff.next(), 250);
});

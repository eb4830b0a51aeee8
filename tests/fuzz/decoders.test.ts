import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crashers, fuzz, targets } from './decoders.ts';

const runs = 20_000;
const fixedSeed = 20_261;
const randomSeed = Math.floor(Math.random() * 2 ** 32);

for (const target of targets) {
  for (const seed of [fixedSeed, randomSeed]) {
    test(`S13: ${runs} mutated inputs against ${target.name}, seed ${seed}`, () => {
      const outcome = fuzz(target, runs, seed);
      assert.deepEqual(
        outcome.failures.map(({ error, input }) => `${error}: ${Buffer.from(input).toString('base64')}`),
        [],
      );
      // A mutator that only makes rubbish, or decoders that take everything, would prove nothing.
      assert.ok(outcome.accepted > runs / 100, `${outcome.accepted} accepted`);
      assert.ok(outcome.accepted < runs * 0.9, `${outcome.accepted} accepted`);
    });
  }

  test(`inputs that once broke ${target.name} no longer do`, () => {
    for (const { name, input } of crashers(target.name)) assert.doesNotThrow(() => target.run(input), name);
  });
}

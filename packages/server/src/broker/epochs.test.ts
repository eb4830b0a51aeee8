import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Epochs } from './epochs.ts';

test('DEL-3: the next life of a forgotten channel never has an epoch it had before', () => {
  const channels = fc.integer({ min: 0, max: 4 });
  const step = fc.record({ channel: channels, kind: fc.constantFrom('publish', 'forget') });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const epochs = new Epochs('g');
      const alive = new Map<number, number>();
      const used = new Map<number, Set<string>>();
      for (const { channel, kind } of steps) {
        const life = alive.get(channel);
        if (kind === 'publish' && life === undefined) {
          const seen = used.get(channel) ?? new Set();
          assert.equal(seen.has(epochs.current), false);
          used.set(channel, seen.add(epochs.current));
          alive.set(channel, epochs.life);
        }
        if (kind === 'forget' && life !== undefined) {
          epochs.forget(life);
          alive.delete(channel);
        }
      }
    }),
  );
});

test('a turnover of many channels costs one life', () => {
  const epochs = new Epochs('g');
  const lives = Array.from({ length: 1_000 }, () => epochs.life);
  assert.equal(lives.filter((life) => epochs.forget(life)).length, 1);
  assert.equal(epochs.epochOf(0), 'g.0');
  assert.equal(epochs.epochOf(1), epochs.current);
});

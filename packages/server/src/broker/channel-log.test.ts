import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ChannelLog, keptOverheadBytes } from './channel-log.ts';

/** What the ring must look like from outside, said in the plainest way. */
class Model {
  top = 0;
  #entries: { offset: number; atMs: number }[] = [];
  #ttlMs = 0;

  append(atMs: number, size: number, ttlMs: number): void {
    this.#entries = this.alive(atMs);
    this.#ttlMs = ttlMs;
    this.#entries.push({ offset: ++this.top, atMs });
    this.#entries = this.alive(atMs).slice(-size);
  }

  clear(): void {
    this.#entries = [];
  }

  alive(atMs: number): { offset: number; atMs: number }[] {
    return this.#entries.filter((entry) => entry.atMs + this.#ttlMs > atMs);
  }
}

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      size: fc.integer({ min: 1, max: 20 }),
      ttlMs: fc.integer({ min: 1, max: 60 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 30 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const) }) },
);

test('retention by size and age: the ring keeps what a plain list would', () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 80 }),
      fc.integer({ min: 0, max: 30 }),
      fc.integer({ min: 0, max: 12 }),
      (steps, since, limit) => {
        const meter = { bytes: 0 };
        const log = new ChannelLog(0, 'e', 0, meter);
        const model = new Model();
        let atMs = 0;
        for (const each of steps) {
          if (each.kind === 'wait') atMs += each.ms;
          else if (each.kind === 'clear') {
            log.clear();
            model.clear();
          } else {
            const { offset } = log.append({ data: new Uint8Array(0) }, 5, atMs, each);
            model.append(atMs, each.size, each.ttlMs);
            assert.equal(offset, model.top);
          }
          const kept = model.alive(atMs).map(({ offset }) => offset);
          const read = (query: Parameters<ChannelLog['page']>[0]): (number | undefined)[] =>
            log.page(query, atMs).publications.map(({ offset }) => offset);
          const position = { offset: since, epoch: 'e' };
          assert.deepEqual(read({ limit: 100 }), kept);
          assert.equal(meter.bytes, log.kept * keptOverheadBytes);
          assert.deepEqual(read({ since: position, limit }), kept.filter((offset) => offset > since).slice(0, limit));
          assert.deepEqual(
            read({ since: position, limit, reverse: true }),
            kept
              .filter((offset) => offset < since)
              .toReversed()
              .slice(0, limit),
          );
          assert.deepEqual(log.page({ limit: 0 }, atMs).top, { offset: model.top, epoch: 'e' });
        }
      },
    ),
  );
});

test('what is dropped is let go: a payload nobody can read does not stay in memory', async () => {
  const { setFlagsFromString } = await import('node:v8');
  const { runInNewContext } = await import('node:vm');
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const log = new ChannelLog(0, 'e', 0);
  const dropped = (() => new WeakRef(log.append({ data: new Uint8Array(8) }, 0, 0, { size: 4, ttlMs: 10 })))();
  for (let i = 0; i < 4; i++) log.append({ data: new Uint8Array(8) }, 0, 0, { size: 4, ttlMs: 10 });
  // A WeakRef holds its target until the end of the current turn of the loop.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  assert.equal(dropped.deref(), undefined);
  assert.equal(log.kept, 4);
});

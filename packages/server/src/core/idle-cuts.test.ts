import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom, VirtualClock } from '@tutti/testkit';
import { nullLog } from '../internal.ts';
import { IdleCuts } from './idle-cuts.ts';

function scene(): { clock: VirtualClock; cuts: IdleCuts; warnings: string[] } {
  const clock = new VirtualClock();
  const warnings: string[] = [];
  const log = { ...nullLog, warn: (_fields: object, message: string) => void warnings.push(message) };
  return { clock, cuts: new IdleCuts(clock, log, 25_000), warnings };
}

test('CON-8: cuts after the same silence are a proxy’s, and it is said once what to do', () => {
  const { clock, cuts, warnings } = scene();
  const random = new SeededRandom(3);
  for (let i = 0; i < 100; i += 1) cuts.cut(5_000 + random.next() * 300);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? '', /after about 5\.?\d? s of silence.*pingInterval/);
  clock.advance(10 * 60_000);
  cuts.cut(5_000);
  assert.equal(warnings.length, 2, 'and again, if it goes on');
});

test('CON-8: people who leave when they like are no proxy', () => {
  const { cuts, warnings } = scene();
  const random = new SeededRandom(5);
  for (let i = 0; i < 200; i += 1) cuts.cut(random.next() * 25_000);
  assert.deepEqual(warnings, []);
});

test('CON-8: neither are cuts in the middle of something, nor after a missed ping', () => {
  const { cuts, warnings } = scene();
  for (let i = 0; i < 50; i += 1) cuts.cut(i % 2 === 0 ? 20 : 60_000);
  assert.deepEqual(warnings, []);
});

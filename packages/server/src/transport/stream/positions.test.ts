import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventId, positionsMax, readEventId } from './positions.ts';
import { readUniOpening } from './uni-opening.ts';

test('an event id brings back the positions, whatever the channels are called', () => {
  const positions = new Map([
    ['log:a', { epoch: 'x.0', offset: 3 }],
    ['log:ü,:', { epoch: 'x.0', offset: 0 }],
    ['__proto__', { epoch: '__proto__', offset: Number.MAX_SAFE_INTEGER }],
  ]);
  assert.deepEqual(readEventId(eventId(positions)), positions);
  assert.deepEqual(readEventId(eventId(new Map())), new Map());
});

test('S2: an id of a stranger is none, and never an exception', () => {
  const idOf = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const many = Object.fromEntries(Array.from({ length: positionsMax + 1 }, (_, i) => [`c${i}`, 1]));
  const bad = [
    [],
    1,
    null,
    'x',
    { e: 1 },
    { e: [] },
    { e: { c: -1 } },
    { e: { c: '1' } },
    { e: { c: 1.5 } },
    { e: many },
  ];
  for (const value of bad) assert.equal(readEventId(idOf(value)), undefined, JSON.stringify(value));
  for (const id of ['', 'nonsense', '%00', 'x'.repeat(5_000)]) assert.equal(readEventId(id), undefined);
});

test('BP-1: channels whose positions an event could not carry are refused at once', () => {
  const query = (channels: string[]): URLSearchParams => new URLSearchParams({ channels: channels.join(',') });
  const names = (count: number, length: number): string[] =>
    Array.from({ length: count }, (_, i) => `log:${String(i).padStart(length, 'x')}`);
  assert.equal(typeof readUniOpening(query(names(positionsMax, 8)), undefined), 'object');
  const problem = (asked: URLSearchParams): string => {
    const opening = readUniOpening(asked, undefined);
    return typeof opening === 'string' ? opening : '';
  };
  assert.match(problem(query(names(positionsMax + 1, 8))), /at most 64/);
  assert.match(problem(query(names(30, 200))), /too long together/);
  assert.match(problem(new URLSearchParams({ data: '{' })), /must be JSON/);
});

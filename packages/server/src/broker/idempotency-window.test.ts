import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IdempotencyWindow } from './idempotency-window.ts';

const position = { offset: 1, epoch: 'e' };

test('DEL-6: found within the window, not after it', () => {
  const window = new IdempotencyWindow({ windowMs: 100, keysMax: 10 });
  window.remember('a', 'k', position, 0);
  assert.deepEqual(window.find('a', 'k', 99)?.position, position);
  assert.equal(window.find('a', 'k', 100), undefined);
  assert.equal(window.find('b', 'k', 0), undefined);
});

test('names and keys that read alike when put together are kept apart', () => {
  const window = new IdempotencyWindow({ windowMs: 100, keysMax: 10 });
  window.remember('ab', 'c', position, 0);
  assert.equal(window.find('a', 'bc', 0), undefined);
  assert.equal(window.find('1:ab', 'c', 0), undefined);
});

test('at its bound the oldest key is forgotten first', () => {
  const window = new IdempotencyWindow({ windowMs: 100, keysMax: 2 });
  for (const key of ['a', 'b']) assert.equal(window.remember('x', key, position, 0), undefined);
  assert.equal(window.remember('x', 'c', position, 30), 30, 'the window was no longer than that');
  assert.equal(window.size, 2);
  assert.equal(window.find('x', 'a', 0), undefined);
  assert.ok(window.find('x', 'b', 0));
});

test('a key used again after its window counts as new', () => {
  const window = new IdempotencyWindow({ windowMs: 100, keysMax: 2 });
  window.remember('x', 'a', position, 0);
  window.remember('x', 'b', position, 50);
  window.remember('x', 'a', { offset: 2, epoch: 'e' }, 120);
  window.remember('x', 'c', position, 121);
  assert.equal(window.find('x', 'b', 122), undefined, 'b was the oldest');
  assert.equal(window.find('x', 'a', 122)?.position?.offset, 2);
});

test('expiry is bounded, and stops at what is still within the window', () => {
  const window = new IdempotencyWindow({ windowMs: 100, keysMax: 10 });
  for (const [index, key] of ['a', 'b', 'c', 'd'].entries()) window.remember('x', key, position, index * 60);
  window.expire(170, 1);
  assert.equal(window.size, 3);
  window.expire(170, 10);
  assert.equal(window.size, 2);
});

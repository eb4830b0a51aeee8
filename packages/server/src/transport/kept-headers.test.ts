import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keptHeaders } from './kept-headers.ts';

const names = ['cookie', 'x-request-id', '__proto__', 'set-cookie'];

test('only the headers that are named are kept', () => {
  const headers = { cookie: 'sid=1', 'x-request-id': 'r1', authorization: 'secret' };
  assert.deepEqual({ ...keptHeaders({ headers }, names) }, { cookie: 'sid=1', 'x-request-id': 'r1' });
  assert.equal(keptHeaders({ headers: { authorization: 'secret' } }, names), undefined);
  assert.equal(keptHeaders({ headers }, []), undefined);
});

test('S12: a name of every object is a header only where one came', () => {
  assert.equal(keptHeaders({ headers: {} }, ['__proto__', 'constructor']), undefined);
});

test('what no request could carry on is left out, and lists are joined', () => {
  const headers = { cookie: 'a\u0000b', 'x-request-id': 'a\nb: c', 'set-cookie': ['a', 'b'] };
  assert.deepEqual({ ...keptHeaders({ headers }, names) }, { 'set-cookie': 'a, b' });
});

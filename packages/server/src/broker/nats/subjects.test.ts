import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyHash, namesOf, token } from './subjects.ts';

test('every channel name is one token of a subject, and no two share one', () => {
  const names = [
    'a',
    'A',
    'a.b',
    'a*',
    'a>',
    'a b',
    'a=2Eb',
    '=',
    '==',
    'ключ',
    '\u0000',
    '\r\n',
    '\u{1f3b6}',
    '',
    '*',
    '>',
  ];
  names.push('x'.repeat(2_000), `${'x'.repeat(1_999)}y`, `==${token('x'.repeat(2_000)).slice(2)}`);
  const tokens = names.map(token);
  assert.equal(new Set(tokens).size, names.length);
  for (const each of tokens) assert.match(each, /^[A-Za-z0-9_=-]{1,900}$/);
});

test('S25: a channel cannot reach the subjects of another namespace', () => {
  const names = namesOf('tutti');
  assert.equal(names.log('chat', 'chat:a.>'), 'tutti.log.chat.chat=3Aa=2E=3E');
  assert.equal(names.log('chat', 'a').split('.').length, names.logs('chat').split('.').length);
});

test('DEL-6: channel and key are told apart in what they hash to', () => {
  assert.notEqual(keyHash('ab', 'c'), keyHash('a', 'bc'));
  assert.notEqual(keyHash('a:1', 'b'), keyHash('a', '1:b'));
});

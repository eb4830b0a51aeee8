import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wellFormedJson } from './well-formed-json.ts';

test('what is well-formed is written as JSON.stringify does', () => {
  const values = [
    0,
    null,
    '',
    'é🎺"\\\n\u0000',
    '\\ud83d',
    '\\\\ud83d',
    { '\\ud83d': ['\ud83c\udfba'] },
    [{}],
    '\u2028',
  ];
  for (const value of values) assert.equal(wellFormedJson(value), JSON.stringify(value));
});

test('every lone surrogate becomes U+FFFD, as in TextEncoder, beside backslashes as elsewhere', () => {
  const recode = (text: string): string => new TextDecoder().decode(new TextEncoder().encode(text));
  const units = ['\ud83d', '\udfba', '\udbff', '\ud800', '\udfff', '\\', 'u', 'd83d', '"', '\n', '🎺', 'x'];
  for (const a of units)
    for (const b of units)
      for (const c of units) {
        const text = a + b + c;
        assert.equal(JSON.parse(wellFormedJson(text)), recode(text), JSON.stringify(text));
        assert.deepEqual(JSON.parse(wellFormedJson({ [text]: 1 })), { [recode(text)]: 1 });
      }
});

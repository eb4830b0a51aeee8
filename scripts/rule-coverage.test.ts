import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coverage, rulesOfPage, rulesProved } from './rule-coverage.ts';

const page = [
  '# Delivery',
  '- **DEL-1** In order.',
  '- **DEL-2** (later) No hole.',
  'as DEL-9 says',
  '- **S13** Odd JSON.',
].join('\n');

test('rules: a page holds the rules at the head of its list items', () => {
  assert.deepEqual(rulesOfPage('p.md', page), [
    { id: 'DEL-1', page: 'p.md', later: false },
    { id: 'DEL-2', page: 'p.md', later: true },
    { id: 'S13', page: 'p.md', later: false },
  ]);
});

test('rules: a test proves the ids at the head of its title, and no others', () => {
  const source = [
    "test('DEL-1: one', () => {});",
    'it(`S13, DEL-2: two`, () => {});',
    "test.skip(\n  'BP-1: on its own line',",
    "test('keeps order as DEL-8 wants', () => {});",
    "const proof = { proves: ['DEL-5', 'CON-3'] };",
    '// DEL-7 in a comment',
  ].join('\n');
  assert.deepEqual([...rulesProved(source)].sort(), ['BP-1', 'CON-3', 'DEL-1', 'DEL-2', 'DEL-5', 'S13']);
});

test('rules: what is untested, unknown, given twice or early is found', () => {
  const rules = [...rulesOfPage('p.md', page), ...rulesOfPage('q.md', '- **DEL-1** again')];
  const found = coverage(
    rules,
    new Map([
      ['DEL-2', ['a.test.ts']],
      ['DEL-4', ['b.test.ts']],
      ['DEL-1', ['a.test.ts']],
    ]),
  );
  assert.deepEqual(found, {
    due: 3,
    later: 1,
    untested: ['S13 (p.md)'],
    unknown: ['DEL-4 in b.test.ts'],
    repeated: ['DEL-1'],
    early: ['DEL-2'],
  });
});

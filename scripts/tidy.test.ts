import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findings, sizes } from './tidy-rules.ts';

const lines = (count: number): string => Array.from({ length: count }, (_, n) => `  use(${n});`).join('\n');
const long = lines(sizes.functionLinesMax);

test('tidy: a function over the bound is found, with its line', () => {
  assert.match(findings('a.ts', `\nfunction walk() {\n${long}\n}`).join(), /^:2: a function of 72 lines/);
  assert.match(findings('a.ts', `class A {\n  walk() {\n${long}\n  }\n}`).join(), /^:2: /);
  assert.deepEqual(findings('a.ts', `function walk() {\n${lines(sizes.functionLinesMax - 2)}\n}`), []);
});

test('tidy: a function that says why it is long passes', () => {
  assert.deepEqual(
    findings('a.ts', `// long on purpose: one switch, a case an opcode\nfunction walk() {\n${long}\n}`),
    [],
  );
  assert.deepEqual(findings('a.ts', `class A {\n  // long on purpose: a table\n  walk() {\n${long}\n  }\n}`), []);
});

test('tidy: a suite is not one function, its tests are', () => {
  const suite = (body: string): string =>
    `function conformance() {\n  test('a', () => {\n${body}\n  });\n  test('b', () => {\n${lines(40)}\n  });\n}`;
  assert.deepEqual(findings('a.ts', suite(lines(40))), []);
  assert.match(findings('a.ts', suite(long)).join(), /^:2: /);
});

test('tidy: a file over the bound is found unless its head says why', () => {
  const text = 'const a = 1;\n'.repeat(sizes.fileLinesMax + 1);
  assert.match(findings('a.ts', text).join(), /two nouns/);
  assert.deepEqual(findings('a.ts', `// long on purpose: data\n${text}`), []);
  assert.deepEqual(findings('a.md', text), []);
});

test('tidy: names that fit anything are refused, and so is what is not kebab-case', () => {
  for (const name of [
    'utils.ts',
    'string-utils.ts',
    'helpers.test.ts',
    'common.ts',
    'session-manager.ts',
    'Session.ts',
  ]) {
    assert.equal(findings(`packages/x/src/${name}`, '').length, 1, name);
  }
  for (const name of ['session.ts', 'sqlite-log.pg.test.ts', 'main.tsx', 'communication.ts', 'vite.config.ts']) {
    assert.deepEqual(findings(`packages/x/src/${name}`, ''), [], name);
  }
});

test('tidy: a path of one machine is found', () => {
  const home = ['', 'home', 'ann', 'x'].join('/');
  assert.match(findings('a.md', `see ${home}`).join(), /^:1: a path of one machine/);
  assert.match(findings('a.md', 'see /srv/build/tutti/x', ['/srv/build/tutti']).join(), /^:1: a path of one machine/);
  assert.deepEqual(findings('a.md', 'https://example.org/home/ann/x and tests/home/ann/x', ['/srv/build/tutti']), []);
});

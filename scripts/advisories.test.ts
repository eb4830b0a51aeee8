import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { isIn, lockProblems, runtimePackages, type Advisory } from './advisories.ts';

const read = (path: string): unknown => JSON.parse(readFileSync(new URL(`../${path}`, import.meta.url), 'utf8'));
const { packages } = read('package-lock.json') as { packages: Parameters<typeof lockProblems>[0] };
const { advisories } = read('docs/operations/advisories.json') as { advisories: Advisory[] };
const sound = { integrity: 'sha512-x', resolved: 'https://registry.npmjs.org/a' };

test('S31: nothing that is locked is in the table of advisories, and all of it is hashed', () => {
  assert.deepEqual(lockProblems(packages, advisories), []);
});

test('S31: a vulnerable package is found, wherever it lies, and one without a hash or from elsewhere', () => {
  const lock = {
    '': { version: '0.1.0' },
    'packages/server': { version: '0.1.0' },
    'node_modules/@tutti/server': { link: true },
    'node_modules/ws': { ...sound, version: '8.17.0' },
    'node_modules/a/node_modules/ws': { ...sound, version: '8.23.0' },
    'node_modules/b': { version: '1.0.0', resolved: sound.resolved },
    'node_modules/c': { ...sound, version: '1.0.0', resolved: 'git+ssh://git@example.com/c.git' },
  };
  const problems = lockProblems(lock, advisories);
  assert.ok(
    problems.some((line) => /^node_modules\/ws 8\.17\.0: .*CVE-2024-37890/.test(line)),
    problems.join('\n'),
  );
  assert.ok(!problems.some((line) => line.startsWith('node_modules/a/')));
  assert.ok(problems.includes('node_modules/b is locked without a SHA-512 hash'));
  assert.ok(problems.some((line) => line.startsWith('node_modules/c does not come from')));
});

test('bounds of versions', () => {
  assert.deepEqual(
    ['1.2.2', '1.2.3', '1.10.0', '1.2.3-rc.1'].map((version) => isIn(version, '<1.2.3')),
    [true, false, false, true],
  );
  assert.equal(isIn('1.5.0', '>=1.0.0 <2.0.0'), true);
  assert.equal(isIn('2.0.0', '>=1.0.0 <2.0.0'), false);
  assert.throws(() => isIn('1.0.0', '^1.0.0'), /no bound/);
});

test('S31: few packages run with a node', () => {
  const runtime = runtimePackages(packages);
  assert.ok(runtime.length <= 25, runtime.join(', '));
});

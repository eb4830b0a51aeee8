import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';

const folder = mkdtempSync(join(tmpdir(), 'tutti-test-script-'));
after(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Outcome {
  code: number;
  output: string;
  /** The last line of standard output. */
  last: string;
}

/** Runs the script on one file with this text, as npm test would. */
async function runOn(name: string, text: string, environment: Record<string, string> = {}): Promise<Outcome> {
  const file = join(folder, `${name}.test.ts`);
  writeFileSync(file, `import { test, describe } from 'node:test';\nimport assert from 'node:assert';\n${text}\n`);
  // The runner refuses to run inside itself; this variable is how it knows.
  const env = { ...process.env, ...environment };
  delete env['NODE_TEST_CONTEXT'];
  const script = join(import.meta.dirname, 'test.ts');
  return new Promise((resolve) => {
    execFile(process.execPath, [script, '--timeout', '2', file], { env, timeout: 20_000 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code);
      resolve({ code, output: stdout + stderr, last: stdout.trim().split('\n').at(-1) ?? '' });
    });
  });
}

test('npm test: counts tests and not suites', async () => {
  const { code, last } = await runOn('good', "describe('s', () => { test('a', () => {}); test('b', () => {}); });");
  assert.deepEqual([code, last], [0, '2 passed, 0 failed']);
});

test('npm test: a failure is shown in full and counted once', async () => {
  const { code, last, output } = await runOn(
    'bad',
    "test('fine', () => {}); describe('s', () => { test('wrong', () => assert.equal('seen', 'wanted')); });",
  );
  assert.deepEqual([code, last], [1, '1 passed, 1 failed']);
  assert.match(output, /wrong/);
  assert.match(output, /'seen'/);
  assert.match(output, /'wanted'/);
});

test('npm test: a skip is named with its reason', async () => {
  const { code, last, output } = await runOn(
    'skip',
    "test('a', () => {}); test('far', { skip: 'not on this system' }, () => {});",
  );
  assert.deepEqual([code, last], [0, '1 passed, 0 failed, 1 skipped']);
  assert.match(output, /far \(not on this system\)/);
});

test('npm test: a missing service is a skip, and a failure where services are required', async () => {
  const text = "test('a', () => {}); test('page', { skip: 'service: chromium is not here' }, () => {});";
  const lenient = await runOn('service', text, { TUTTI_REQUIRE_SERVICES: '' });
  assert.deepEqual([lenient.code, lenient.last], [0, '1 passed, 0 failed, 1 skipped']);
  const strict = await runOn('service', text, { TUTTI_REQUIRE_SERVICES: '1' });
  assert.deepEqual([strict.code, strict.last], [1, '1 passed, 1 failed']);
});

test('npm test: a file that crashes, holds no test or never ends has failed', async () => {
  for (const [name, text] of [
    ['crash', "throw new Error('on load');"],
    ['empty', ''],
    ['endless', "test('waits', () => new Promise(() => { setInterval(() => {}, 1000); }));"],
  ] as const) {
    const { code, last } = await runOn(name, text);
    assert.deepEqual([code, last], [1, '0 passed, 1 failed'], name);
  }
});

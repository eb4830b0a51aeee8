import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

/** Runs the preloaded check as if this were another Node. */
function runAs(version: string): { status: number | null; stderr: string } {
  const pretend = `Object.defineProperty(process.versions, 'node', { value: '${version}' })`;
  const flags = ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`, '--import', './require-node.js'];
  const options = { cwd: import.meta.dirname, encoding: 'utf8', timeout: 20_000 } as const;
  return spawnSync(process.execPath, [...flags, '--eval', '0'], options);
}

test('S32: an older Node is refused with advice', () => {
  for (const version of ['18.0.0', '20.20.2', '22.17.9']) {
    const { status, stderr } = runAs(version);
    assert.equal(status, 1, version);
    assert.match(stderr, /needs Node 22\.18 or newer/);
    assert.match(stderr, /npm ci/);
  }
  for (const version of ['22.18.0', '24.0.0', '26.1.0']) assert.equal(runAs(version).status, 0, version);
});

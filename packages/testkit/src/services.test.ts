import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findService, requireService } from './services.ts';

/** Runs with a PATH that holds one folder, with these programs in it. */
async function withPath(programs: readonly string[], body: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-services-'));
  const before = process.env['PATH'];
  for (const program of programs) {
    writeFileSync(join(folder, program), '#!/bin/sh\n');
    chmodSync(join(folder, program), 0o755);
  }
  process.env['PATH'] = folder;
  try {
    await body(folder);
  } finally {
    process.env['PATH'] = before;
    rmSync(folder, { recursive: true, force: true });
  }
}

test('services: a program is found on PATH, by its preferred name first', async () => {
  await withPath(['google-chrome', 'chromium'], async (folder) => {
    assert.deepEqual(await requireService('chromium'), { path: join(folder, 'chromium') });
  });
  await withPath(['google-chrome'], async (folder) => {
    assert.equal(findService('chromium'), join(folder, 'google-chrome'));
  });
});

test('services: what cannot be had is a skip that names the service', async () => {
  // Without apt-get on PATH nothing can be installed.
  await withPath([], async () => {
    const service = await requireService('chromium');
    assert.ok('skip' in service);
    assert.match(service.skip, /^service: chromium .*`apt-get install chromium`/);
  });
});

test('services: an unknown name is a mistake in the test, not a skip', async () => {
  await assert.rejects(requireService('chromuim'), /no service is called chromuim; there are chromium/);
});

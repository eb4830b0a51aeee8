import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { describeAsVariables, describeSettings } from './describe.ts';
import { devSecretFile, withDevSecret } from './dev-secret.ts';
import { loadConfig } from './load.ts';
import { editDistance, nearestName } from './nearest-name.ts';
import { defaultSettings } from './presets.ts';

const planted = ['planted-secret-number-one-of-32-bytes', 'planted-secret-number-two-of-32-bytes', 'planted-password'];

test('S29: no secret is ever described', async () => {
  const env = {
    TUTTI_TOKEN_HMAC_SECRET: planted[0],
    TUTTI_TOKEN_KEYS: JSON.stringify([{ alg: 'HS256', kid: 'k', secret: planted[1] }]),
    TUTTI_ENGINE: `nats://user:${planted[2]}@host:4222`,
  };
  const { settings, sources, problems } = await loadConfig({ env, cwd: tmpdir() });
  const printed = JSON.stringify([describeSettings(settings, sources), describeAsVariables(settings), problems]);
  const engine = describeSettings({ ...settings, engine: env.TUTTI_ENGINE }, sources).find(
    ({ name }) => name === 'engine',
  );
  assert.equal(engine?.value, 'nats://user:********@host:4222');
  for (const secret of planted) assert.ok(!printed.includes(secret), secret);
  assert.match(printed, /kid/);
});

test('what is described as variables means the same when it is loaded again', async () => {
  const before = await loadConfig({
    mode: 'dev',
    env: { TUTTI_FRAME_BYTES_MAX: '70000', TUTTI_HISTORY_PAGE_MAX: '9' },
    cwd: tmpdir(),
  });
  const pairs = describeAsVariables(before.settings).map((line): [string, string] => {
    const [name = '', ...rest] = line.split('=');
    return [name, rest.join('=').replace(/^'(.*)'$/s, '$1')];
  });
  const after = await loadConfig({ mode: 'dev', env: Object.fromEntries(pairs), cwd: tmpdir() });
  assert.deepEqual(after.problems, []);
  assert.deepEqual(after.settings, before.settings);
});

test('the development secret is made once for a data folder, for its owner only', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'tutti-secret-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const dataDir = join(folder, 'data');
  const settings = { ...defaultSettings(), dataDir };
  assert.equal(withDevSecret(settings, { create: false }).tokenHmacSecret, '');
  const first = withDevSecret(settings, { create: true }).tokenHmacSecret;
  assert.ok(Buffer.byteLength(first) >= 32);
  assert.equal(withDevSecret(settings, { create: true }).tokenHmacSecret, first);
  assert.equal(withDevSecret(settings, { create: false }).tokenHmacSecret, first);
  assert.equal(statSync(join(dataDir, devSecretFile)).mode & 0o777, 0o600);
  const configured = { ...settings, tokenHmacSecret: 'configured' };
  assert.equal(withDevSecret(configured, { create: true }), configured);
});

test('the nearest name is found, and far ones are not suggested', () => {
  const names = ['historySize', 'historyTtl', 'presence', 'port'];
  assert.equal(nearestName('histroySize', names), 'historySize');
  assert.equal(nearestName('PRESENCE', names), 'presence');
  assert.equal(nearestName('prot', names), 'port');
  assert.equal(nearestName('zzzzzzz', names), undefined);
  assert.equal(nearestName('x'.repeat(10_000), names), undefined);
  assert.deepEqual(
    [editDistance('', 'abc'), editDistance('abc', 'abc'), editDistance('ab', 'ba'), editDistance('kitten', 'sitting')],
    [3, 0, 1, 3],
  );
});

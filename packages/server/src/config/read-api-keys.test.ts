import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { describeAsVariables, describeSettings } from './describe.ts';
import { devApiKeyFile, withDevApiKey } from './dev-secret.ts';
import { loadConfig, type LoadedConfig } from './load.ts';
import { defaultSettings } from './presets.ts';
import { formatProblem } from './problem.ts';

const key = 'a-key-of-24-characters-or-more';

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'tutti-keys-'));
  t.after(() => {
    rmSync(path, { recursive: true });
  });
  return path;
}

function load(cwd: string, apiKeys: unknown): Promise<LoadedConfig> {
  const env = {
    TUTTI_TOKEN_HMAC_SECRET: 'a-secret-of-32-bytes-or-more-for-tests',
    TUTTI_API_KEYS: JSON.stringify(apiKeys),
  };
  return loadConfig({ cwd, env });
}

test('keys are read from a variable, and from files of their own', async (t) => {
  const cwd = folder(t);
  writeFileSync(join(cwd, 'key.txt'), `${key}-in-a-file\n`);
  const { settings, problems } = await load(cwd, [
    { name: 'all', key, allow: '*' },
    { name: 'shop', keyFile: 'key.txt', allow: ['publish', 'history'], channels: ['shop:*', 'news'] },
  ]);
  assert.deepEqual(problems.map(formatProblem), []);
  assert.deepEqual(settings.apiKeys, [
    { name: 'all', key, allow: ['*'] },
    { name: 'shop', key: `${key}-in-a-file`, allow: ['publish', 'history'], channels: ['shop:*', 'news'] },
  ]);
});

test('each unsound key is reported with its place, and never repeated', async (t) => {
  const cwd = folder(t);
  const bad: [written: unknown, problem: RegExp][] = [
    [{}, /must be a list of keys/],
    [['x'], /\[0\].*must be \{name, key/],
    [[{ name: 'a', allow: '*' }], /must be \{name, key/],
    [[{ name: 'a', key, keyFile: 'x', allow: '*' }], /must be \{name, key/],
    [[{ name: 'a', keyFile: 'missing', allow: '*' }], /keyFile.*cannot be read/],
    [[{ name: 'a', key: 1, allow: '*' }], /\.key.*must be text/],
    [[{ name: 'a b', key, allow: '*' }], /name must be/],
    [[{ name: 'a', key: 'short-secret', allow: '*' }], /12 characters and needs 24.*openssl/],
    [[{ name: 'a', key: `${key} x`, allow: '*' }], /printable ASCII/],
    [[{ name: 'a', key }], /allow.*must be/],
    [[{ name: 'a', key, allow: [] }], /allow.*must be/],
    [[{ name: 'a', key, allow: ['publsh'] }], /allow.*publish/],
    [[{ name: 'a', key, allow: '*', channels: ['a*b'] }], /channels.*with \* at the end/],
    [[{ name: 'a', key, allow: '*', chanels: [] }], /channels/],
    [
      [
        { name: 'a', key, allow: '*' },
        { name: 'a', key: `${key}2`, allow: '*' },
      ],
      /name of an earlier key/,
    ],
    [
      [
        { name: 'a', key, allow: '*' },
        { name: 'b', key, allow: '*' },
      ],
      /key of an earlier one/,
    ],
  ];
  for (const [written, problem] of bad) {
    const found = (await load(cwd, written)).problems.map(formatProblem).join('\n');
    assert.match(found, problem, JSON.stringify(written));
    assert.equal(found.includes(key) || found.includes('short-secret'), false, found);
  }
});

test('S36: keys are masked wherever settings are shown', async (t) => {
  const { settings, sources } = await load(folder(t), [{ name: 'all', key, allow: '*' }]);
  const shown = [
    ...describeSettings(settings, sources).map(({ value }) => value),
    ...describeAsVariables(settings),
  ].join('\n');
  assert.equal(shown.includes(key), false);
  assert.match(shown, /"name":"all","key":"\*+","allow":\["\*"\]/);
});

test('dev makes a key once, for its owner alone, and none where one is configured', (t) => {
  const settings = { ...defaultSettings(), dataDir: join(folder(t), 'data') };
  assert.deepEqual(withDevApiKey(settings, { create: false }).apiKeys, []);
  const [made] = withDevApiKey(settings, { create: true }).apiKeys;
  assert.deepEqual([made?.name, made?.allow], ['dev', ['*']]);
  assert.equal(withDevApiKey(settings, { create: false }).apiKeys[0]?.key, made?.key);
  assert.equal(statSync(join(settings.dataDir, devApiKeyFile)).mode & 0o777, 0o600);
  const configured = { ...settings, apiKeys: [{ name: 'a', key, allow: ['*'] }] };
  assert.equal(withDevApiKey(configured, { create: true }), configured);
});

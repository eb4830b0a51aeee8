import { JwtAuthenticator } from '@tutti/server/auth';
import { defaultSettings, formatProblem, loadConfig } from '@tutti/server/config';
import { nullLog, signatureHeader, signRequest, SystemClock } from '@tutti/server/internal';
import { eventually, freePort } from '@tutti/testkit';
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';

import { RunningCommand } from './testing/run-command.ts';
import { serving } from './testing/serving.ts';

const guides = [
  'tokens.md',
  'channels-and-namespaces.md',
  'publish-from-your-backend.md',
  'slow-clients.md',
  'hooks.md',
  'backends/README.md',
  'webhooks.md',
  'limits.md',
  'tenants.md',
];
const secret = 'a-secret-of-32-bytes-or-more-for-tests';

function blocks(guide: string, language: string): string[] {
  const text = readFileSync(new URL(`../../../docs/guides/${guide}`, import.meta.url), 'utf8');
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1] ?? '');
}

function folder(t: TestContext): string {
  const cwd = mkdtempSync(join(tmpdir(), 'tutti-guides-'));
  t.after(() => {
    rmSync(cwd, { recursive: true });
  });
  return cwd;
}

for (const guide of guides) {
  test(`the configurations in ${guide} are sound`, async (t) => {
    const cwd = folder(t);
    const configurations = blocks(guide, 'json');
    assert.ok(configurations.length > 0);
    for (const configuration of configurations) {
      writeFileSync(join(cwd, 'tutti.config.json'), configuration);
      assert.deepEqual((await loadConfig({ cwd, env: {} })).problems.map(formatProblem), []);
    }
  });
}

test('the token that a backend makes as in tokens.md is believed', async (t) => {
  const [code = ''] = blocks('tokens.md', 'ts');
  const file = join(folder(t), 'backend.mts');
  writeFileSync(file, code);
  const backend = (await import(pathToFileURL(file).href)) as { connectionToken(user: string, secret: string): string };
  const authenticator = new JwtAuthenticator(
    { ...defaultSettings(), tokenHmacSecret: secret },
    new SystemClock(),
    nullLog,
  );
  const token = backend.connectionToken('ann', secret);
  const identity = await authenticator.connect({ token, name: '', version: '', remoteAddress: '' });
  assert.equal(identity.user, 'ann');
});

test('the tokens made by hand in tokens.md can be made', async (t) => {
  const cwd = folder(t);
  const commands = blocks('tokens.md', 'sh')
    .join('')
    .split('\n')
    .filter((line) => line.startsWith('npx tutti '));
  assert.equal(commands.length, 4);
  const finished = await Promise.all(
    commands.map((line) => {
      const words = [...line.slice('npx tutti '.length).matchAll(/'([^']*)'|(\S+)/g)].map(
        ([, quoted, bare]) => quoted ?? bare ?? '',
      );
      return new RunningCommand(words, { cwd, env: { TUTTI_TOKEN_HMAC_SECRET: secret } }).finished();
    }),
  );
  for (const { code, stdout, stderr } of finished) {
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  }
});

test('PRE-2: the curl line of presence.md answers what the guide says', { skip: noCurl() }, async (t) => {
  const key = 'replace-me-by-openssl-rand-hex-32';
  const apiKeys = [{ name: 'backend', key, allow: ['last_seen'] }];
  const [answer] = await answersOf(t, 'presence.md', JSON.stringify({ tokenHmacSecret: secret, apiKeys }));
  const seen = { ann: { online: false }, bob: { online: false }, zoe: { online: false } };
  assert.deepEqual(answer, { result: { users: seen } });
});

test('the curl lines of tenants.md and revocation.md answer what the guides say', { skip: noCurl() }, async (t) => {
  const [configuration = ''] = blocks('tenants.md', 'json');
  const { tenantClaim: _, ...plain } = JSON.parse(configuration) as { tenantClaim: string; apiKeys: object[] };
  const alone = JSON.stringify({ ...plain, apiKeys: plain.apiKeys.slice(0, 1) });
  const [tenants, revocation] = await Promise.all([
    answersOf(t, 'tenants.md', configuration),
    answersOf(t, 'revocation.md', alone),
  ]);
  assert.deepEqual(
    tenants.map(({ result, error }) => result?.['offset'] ?? error?.['code']),
    [1, 2, 0, 107],
  );
  assert.deepEqual(revocation[0]?.result, {});
  assert.equal(revocation[1]?.result?.['expire_at'], 1_900_086_400);
  assert.ok(Number(revocation[2]?.result?.['expire_at']) > Date.now() / 1_000);
});

type Answer = Partial<Record<'result' | 'error', Record<string, unknown>>>;

/** What a node with this configuration answers to the curl lines of a guide. */
async function answersOf(t: TestContext, guide: string, configuration: string): Promise<Answer[]> {
  const { cwd, url } = await serving(t, configuration);
  const lines = blocks(guide, 'sh').join('').replaceAll('http://localhost:8000', url).replaceAll('curl ', 'curl -sS ');
  const answers = execFileSync('sh', ['-c', `set -e\n${lines}`], { cwd, encoding: 'utf8' });
  return answers
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Answer);
}

/** Why the lines cannot be run here; false where they can: `--json` came with 7.82. */
function noCurl(): string | false {
  const { stdout } = spawnSync('curl', ['--version'], { encoding: 'utf8' });
  const [, major = 0, minor = 0] = /^curl (\d+)\.(\d+)/.exec(stdout ?? '') ?? [];
  return Number(major) * 100 + Number(minor) >= 782 ? false : 'no curl with --json';
}

test('the receiver of webhooks.md believes what a node signed, and nothing else', async (t) => {
  const secret = 'change-me-to-the-output-of-openssl-rand-hex-32';
  const [code = ''] = blocks('webhooks.md', 'js');
  const file = join(folder(t), 'receiver.mjs');
  const port = await freePort();
  writeFileSync(file, code.replace('listen(3000', `listen(${port}`));
  const receiver = spawn(process.execPath, [file], { env: { WEBHOOK_SECRET: secret } });
  t.after(() => receiver.kill());
  let printed = '';
  receiver.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  const url = `http://127.0.0.1:${port}/tutti`;
  await eventually(async () => (await fetch(url, { method: 'POST', body: '{}' })).status === 401);
  const now = Date.now() / 1_000;
  const post = async (body: string, signature: string): Promise<number> =>
    (await fetch(url, { method: 'POST', body, headers: { [signatureHeader]: signature } })).status;
  const event = { id: 'x-1', type: 'published', channel: 'chat:a', user: 'ann', data: { text: 'é' } };
  const body = JSON.stringify({ events: [event] });
  assert.equal(await post(body, signRequest(body, ['another secret', secret], now)), 204);
  assert.equal(await post(body, signRequest(body, [secret], now)), 204);
  assert.equal(await post(body, signRequest(body, ['another secret'], now)), 401);
  assert.equal(await post(`${body} `, signRequest(body, [secret], now)), 401);
  assert.equal(await post(body, signRequest(body, [secret], now - 301)), 401);
  assert.equal(await post(body, 'v1='), 401);
  await eventually(() => printed === 'published chat:a ann {"text":"é"}\n', { what: 'told once' });
});

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, test } from 'node:test';

import { run, type RunOptions } from './program.ts';
import { RunningCommand, type Finished } from './testing/run-command.ts';

const secret = 'a-secret-of-32-bytes-or-more-for-tests';
const key = { TUTTI_TOKEN_HMAC_SECRET: secret };
const cwd = mkdtempSync(join(tmpdir(), 'tutti-cli-'));
after(() => {
  rmSync(cwd, { recursive: true });
});

function tutti(args: string[], env: Record<string, string> = {}): Promise<Finished> {
  return new RunningCommand(args, { cwd, env }).finished();
}

/** Without a process of its own: for what fails before anything starts. */
async function inProcess(args: string[]): Promise<Finished> {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const streams = { stdout, stderr } as unknown as Pick<RunOptions, 'stdout' | 'stderr'>;
  const code = await run(args, { env: {}, cwd, version: '0', ...streams });
  const text = (stream: PassThrough): string => (stream.read() as Buffer | null)?.toString() ?? '';
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

function claimsOf(token: string): Record<string, unknown> {
  const [head = '', body = '', signature = ''] = token.trim().split('.');
  assert.equal(createHmac('sha256', secret).update(`${head}.${body}`).digest('base64url'), signature);
  return JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>;
}

test('help names every command and the exit codes; the bare command shows it', async () => {
  const [asked, bare] = await Promise.all([tutti(['--help']), tutti([])]);
  assert.equal(asked.code, 0);
  for (const name of ['dev', 'serve', 'token', 'pub', 'sub', 'history', 'presence', 'revoke', 'config']) {
    assert.match(asked.stdout, new RegExp(`^  ${name}\\b`, 'm'));
  }
  assert.match(asked.stdout, /Exit codes: 0 ok, 1 it failed, 2 it was not understood/);
  assert.deepEqual(bare, asked);
});

test('a group without one of its commands shows its help', async () => {
  for (const group of ['config', 'webhooks']) {
    const bare = await inProcess([group]);
    assert.deepEqual(bare, await inProcess([group, '--help']));
    assert.match(bare.stdout, /Commands:/);
    assert.equal(bare.code, 0);
  }
});

test('the help of serve lists the options of a node with their defaults, and no secret', async () => {
  const { stdout } = await tutti(['serve', '--help']);
  assert.match(stdout, /--ping-interval <duration>/);
  assert.match(stdout.replace(/\s+/g, ' '), /\[25s\]/);
  assert.doesNotMatch(stdout, /--token-hmac-secret|--token-keys/);
});

const misunderstood: [string[], RegExp][] = [
  [['sevre'], /unknown command 'sevre' \(Did you mean serve\?\)/],
  [['serve', '--prot', '1'], /unknown option '--prot' \(Did you mean --port\?\)/],
  [['pub', 'chat:a'], /missing required argument 'data'/],
  [['token', '--user', 'a', '--expires', 'soon'], /--expires must be a duration/],
  [['token', '--user', 'a', '--caps', 'chat:*=shout'], /shout is no verb/],
  [['token', '--user', 'a', '--channel', 'b', '--caps', 'c=publish'], /opens one channel/],
  [['token', '--user', 'a', '--channel', ''], /--channel must name a channel/],
  [['token', '--user', 'a', '--info', '{'], /--info must be JSON/],
  [['sub', 'a', '--count', '0'], /--count must be/],
  [['sub', 'a', '--url', 'ftp://x'], /no address of a server/],
  [['history', 'a', '--since', 'x'], /--since must be EPOCH:OFFSET/],
  [['sub', 'a', '--tenant', 'acme', '--token', 'x'], /--tenant is for a token that is made here/],
  [['token', '--user', 'a', '--jti', ''], /--jti must have 1 to 256/],
  [['revoke'], /exactly one of --user, --token and --client/],
  [['revoke', '--user', 'a', '--client', 'b'], /exactly one of/],
  [['revoke', '--user', 'a', '--expire-at', '1'], /--expire-at goes with --token/],
  [['revoke', '--client', 'a', '--issued-before', '1'], /--issued-before goes with --user/],
  [['revoke', '--user', 'a', '--issued-before', 'now'], /whole seconds since 1970/],
  [['revoke', '--user', 'a', '--tenant', 'a*b'], /--tenant must have/],
  [['dev', '--host', '0.0.0.0'], /--host must be a loopback address/],
  [['config', 'check', '--mode', 'both'], /--mode must be serve or dev/],
];
for (const [args, reason] of misunderstood) {
  test(`exit code 2 and a reason: tutti ${args.join(' ')}`, async () => {
    const { code, stdout, stderr } = await inProcess(args);
    assert.equal(code, 2);
    assert.equal(stdout, '');
    assert.match(stderr, reason);
  });
}

test('serve says exactly what to do where there is no key', async () => {
  const { code, stderr } = await tutti(['serve', '--port', '0']);
  assert.equal(code, 1);
  assert.match(stderr, /nobody could connect.*TUTTI_TOKEN_HMAC_SECRET="\$\(openssl rand -base64 48\)"/);
});

test('config check reports all problems at once, as lines for people and objects for programs', async (t) => {
  const file = join(cwd, 'bad.json');
  writeFileSync(file, '{"prot": 1, "pingInterval": 25, "namespaces": {"chat": {"durable": true}}}');
  t.after(() => {
    rmSync(file);
  });
  const [people, programs] = await Promise.all([
    tutti(['config', 'check', '--config', 'bad.json'], key),
    tutti(['config', 'check', '--config', 'bad.json', '--json'], key),
  ]);
  assert.equal(people.code, 1);
  assert.match(people.stdout, /bad.json: prot is not an option; did you mean port\?/);
  assert.match(people.stdout, /bad.json: pingInterval must be a duration/);
  assert.match(people.stdout, /bad.json: namespaces.chat.durable needs historySize/);
  assert.match(people.stderr, /3 problems/);
  const lines = programs.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    lines.map(({ option }) => option),
    ['prot', 'pingInterval', 'namespaces.chat.durable'],
  );
  assert.equal((JSON.parse(programs.stderr) as { type: string }).type, 'error');
});

test('config check, show and env of a sound configuration; secrets are masked', async () => {
  const [checked, shown, env] = await Promise.all([
    tutti(['config', 'check'], key),
    tutti(['config', 'show', '--port', '81'], key),
    tutti(['config', 'env'], key),
  ]);
  assert.deepEqual([checked.code, shown.code, env.code], [0, 0, 0]);
  assert.match(shown.stdout, /^port +81 +← --port$/m);
  assert.match(shown.stdout, /^tokenHmacSecret +\*{8} +← TUTTI_TOKEN_HMAC_SECRET$/m);
  assert.match(env.stdout, /^TUTTI_PING_INTERVAL=25s$/m);
  assert.ok(!(shown.stdout + env.stdout).includes(secret));
});

test('token: a connection token with rights, and a subscription token', async () => {
  const args = ['token', '--user', 'ann', '--expires', '2h', '--info', '{"name":"Ann"}', '--channels', 'a, b'];
  const [connection, subscription, forever] = await Promise.all([
    tutti([...args, '--caps', 'chat:*,news=subscribe,publish', '--caps', 'log=history'], {
      ...key,
      TUTTI_TOKEN_ISSUER: 'me',
    }),
    tutti(['token', '--user', 'ann', '--channel', 'chat:a', '--json'], key),
    tutti(['token', '--user', '', '--expires', 'never'], key),
  ]);
  const { exp, iat, ...claims } = claimsOf(connection.stdout);
  assert.deepEqual(claims, {
    sub: 'ann',
    iss: 'me',
    info: { name: 'Ann' },
    channels: ['a', 'b'],
    caps: [
      { channels: ['chat:*', 'news'], allow: ['subscribe', 'publish'] },
      { channels: ['log'], allow: ['history'] },
    ],
  });
  assert.ok(Math.abs(Number(iat) - Date.now() / 1000) < 120);
  assert.equal(Number(exp) - Number(iat), 7_200);
  const record = JSON.parse(subscription.stdout) as { token: string; expiresAt: number };
  assert.equal(claimsOf(record.token)['channel'], 'chat:a');
  assert.deepEqual(Object.keys(claimsOf(forever.stdout)), ['iat']);
});

test('S11: token: whose it is, by the claim that the node reads, and what it can be revoked by', async () => {
  const args = ['token', '--user', 'ann'];
  const tenants = { ...key, TUTTI_TENANT_CLAIM: 'org' };
  const [acme, operator, unsaid, without] = await Promise.all([
    tutti([...args, '--tenant', 'acme', '--jti', 'f3a1'], tenants),
    tutti([...args, '--tenant', '', '--channel', 'chat:a'], tenants),
    tutti(args, tenants),
    tutti([...args, '--tenant', 'acme'], key),
  ]);
  const { org, jti } = claimsOf(acme.stdout);
  assert.deepEqual([org, jti], ['acme', 'f3a1']);
  assert.equal(claimsOf(operator.stdout)['org'], '');
  assert.equal(unsaid.code, 2);
  assert.match(unsaid.stderr, /tenantClaim is org.*whose[\s\S]*--tenant NAME/);
  assert.equal(without.code, 2);
  assert.match(without.stderr, /Set tenantClaim/);
});

test('revoke without a key of the server API says where one comes from; with a node away, what to do', async () => {
  const unkeyed = await tutti(['revoke', '--user', 'ann']);
  assert.equal(unkeyed.code, 1);
  assert.match(unkeyed.stderr, /no key of the server API here that allows revoke[\s\S]*TUTTI_API_KEY/);
  const away = await tutti(['revoke', '--user', 'ann', '--url', 'http://127.0.0.1:1'], { TUTTI_API_KEY: 'k' });
  assert.equal(away.code, 1);
  assert.match(away.stderr, /127.0.0.1:1[\s\S]*npx tutti dev/);
});

test('token without a key says where one comes from', async () => {
  const { code, stderr } = await tutti(['token', '--user', 'ann']);
  assert.equal(code, 1);
  assert.match(stderr, /no key to sign with[\s\S]*tutti dev/);
});

test('a server that is not there: what to do', async () => {
  const { code, stderr } = await tutti(['pub', 'chat:a', 'x', '--url', 'ws://127.0.0.1:1']);
  assert.equal(code, 1);
  assert.match(stderr, /127.0.0.1:1[\s\S]*npx tutti dev/);
});

test('no colour outside of a terminal', async () => {
  const { stdout } = await tutti(['config', 'show'], key);
  assert.ok(!stdout.includes('\u001b'));
});

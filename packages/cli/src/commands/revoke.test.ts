import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { RunningCommand, type Finished } from '../testing/run-command.ts';
import { serving } from '../testing/serving.ts';

const timeout = 120_000;
const operatorKey = 'operator-key-of-24-characters-or-more';
const configuration = {
  tenantClaim: 'tenant',
  tokenHmacSecret: 'a-secret-of-32-bytes-or-more-for-tests',
  apiKeys: [
    { name: 'publisher', key: 'publisher-key-of-24-characters-or-more', allow: ['publish'] },
    { name: 'acme', key: 'acme-key-of-24-characters-or-more-for-it', allow: ['revoke'], tenant: 'acme' },
    { name: 'operator', key: operatorKey, allow: '*' },
  ],
  namespaces: { chat: { historySize: 10, presence: true, allowSubscribe: 'user', allowPublish: 'user' } },
};

interface Arranged {
  /** A command in the folder of the node's configuration. */
  start(args: string[], env?: Record<string, string>): RunningCommand;
  run(args: string[], env?: Record<string, string>): Promise<Finished>;
}

async function arrange(t: TestContext): Promise<Arranged> {
  const { cwd, url } = await serving(t, JSON.stringify(configuration));
  const start = (args: string[], env = {}): RunningCommand =>
    new RunningCommand(args, { cwd, env: { TUTTI_URL: url, ...env } });
  return { start, run: (args, env) => start(args, env).finished() };
}

/** A reader with a token of its own, once it is subscribed. */
async function reader({ start, run }: Arranged, tokenArgs: string[]): Promise<{ token: string; sub: RunningCommand }> {
  const token = (await run(['token', ...tokenArgs])).stdout.trim();
  const sub = start(['sub', 'chat:general', '--json'], { TUTTI_TOKEN: token });
  await sub.printed(/"type":"subscribed"/);
  return { token, sub };
}

test('S11: with --tenant pub, sub, history and presence are of that tenant alone', { timeout }, async (t) => {
  const { start, run } = await arrange(t);
  const ann = start(['sub', 'chat:general', '--count', '1', '--user', 'ann', '--tenant', 'acme', '--json']);
  await ann.printed(/"type":"subscribed"/);
  const [there, elsewhere] = await Promise.all(
    ['acme', 'globex'].map((tenant) => run(['presence', 'chat:general', '--stats', '--tenant', tenant])),
  );
  assert.equal(there?.stdout, '1 connections of 1 users\n', there?.stderr);
  assert.equal(elsewhere?.stdout, '0 connections of 0 users\n', elsewhere?.stderr);
  assert.equal((await run(['pub', 'chat:general', '"theirs"', '--tenant', 'globex'])).code, 0);
  assert.equal((await run(['pub', 'chat:general', '"ours"', '--tenant', 'acme'])).code, 0);
  const heard = (await ann.finished()).stdout.split('\n').filter((line) => line.includes('"publication"'));
  assert.deepEqual(
    heard.map((line) => (JSON.parse(line) as { data: unknown }).data),
    ['ours'],
  );
  const past = await run(['history', 'chat:general', '--tenant', 'globex']);
  assert.match(past.stdout, /theirs/);
  assert.doesNotMatch(past.stdout, /ours/);
  const unsaid = await run(['pub', 'chat:general', '1']);
  assert.equal(unsaid.code, 2);
  assert.match(unsaid.stderr, /--tenant NAME/);
});

test('CON-6: revoke --token and --client end that one and its token, and nobody else', { timeout }, async (t) => {
  const arranged = await arrange(t);
  const { run } = arranged;
  const [one, two, other] = await Promise.all(
    ['one', 'two', 'other'].map((jti) => reader(arranged, ['--user', jti, '--tenant', 'acme', '--jti', jti])),
  );
  assert.ok(one !== undefined && two !== undefined && other !== undefined);
  const done = await run(['revoke', '--token', 'one', '--expire-at', '4000000000', '--tenant', 'acme', '--json']);
  assert.equal(done.stdout, '{"type":"revoked","jti":"one","expire_at":4000000000,"tenant":"acme"}\n', done.stderr);
  assert.equal((await one.sub.finished()).code, 1);

  const members = (await run(['presence', 'chat:general', '--tenant', 'acme', '--json'])).stdout.trim().split('\n');
  const client = members
    .map((line) => JSON.parse(line) as { user: string; client: string })
    .find(({ user }) => user === 'two')?.client;
  const ended = await run(['revoke', '--client', client ?? '', '--tenant', 'acme']);
  assert.equal(ended.stdout, `revoked connection ${client} and its token\n`, ended.stderr);
  assert.match((await two.sub.finished()).stderr, /3500/);

  for (const { token } of [one, two]) {
    const again = await run(['history', 'chat:general'], { TUTTI_TOKEN: token });
    assert.equal(again.code, 1);
    assert.match(again.stderr, /refused the token/);
  }
  await run(['pub', 'chat:general', '"to who is left"', '--tenant', 'acme']);
  await other.sub.printed(/to who is left/);
});

test('CON-6: revoke --user concerns one tenant, and what is issued later is good', { timeout }, async (t) => {
  const arranged = await arrange(t);
  const { run } = arranged;
  const [acme, globex] = await Promise.all(
    ['acme', 'globex'].map((tenant) => reader(arranged, ['--user', 'ann', '--tenant', tenant])),
  );
  const unsaid = await run(['revoke', '--user', 'ann']);
  assert.equal(unsaid.code, 1);
  assert.match(unsaid.stderr, /tenant[\s\S]*--tenant NAME/);
  const before = Math.floor(Date.now() / 1_000);
  const done = await run(['revoke', '--user', 'ann', '--issued-before', String(before), '--tenant', 'acme']);
  assert.equal(done.stdout, `revoked all that user ann was given until ${new Date(before * 1_000).toISOString()}\n`);
  assert.equal((await acme?.sub.finished())?.code, 1);
  await run(['pub', 'chat:general', '"still here"', '--tenant', 'globex']);
  await globex?.sub.printed(/still here/);
  const wrongKey = await run(['revoke', '--user', 'ann', '--tenant', 'globex'], {
    TUTTI_API_KEY: 'publisher-key-of-24-characters-or-more',
  });
  assert.equal(wrongKey.code, 1);
  assert.match(wrongKey.stderr, /code 103/);
  const rightKey = await run(['revoke', '--user', 'ann', '--tenant', 'globex', '--api-key', operatorKey]);
  assert.equal(rightKey.code, 0, rightKey.stderr);
  assert.equal((await globex?.sub.finished())?.code, 1);
});

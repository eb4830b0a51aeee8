import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { eventually } from '@tutti/testkit';

import { RunningCommand, type Finished } from '../testing/run-command.ts';
import { serving } from '../testing/serving.ts';

const timeout = 120_000;
const configuration = {
  tokenHmacSecret: 'a-secret-of-32-bytes-or-more-for-tests',
  apiKeys: [
    { name: 'reader', key: 'reader-key-of-24-characters-or-more', allow: ['last_seen'] },
    { name: 'operator', key: 'operator-key-of-24-characters-or-more', allow: ['last_seen', 'last_seen_remove'] },
  ],
  namespaces: { chat: { allowSubscribe: 'user', allowPublish: 'user' } },
};

async function arrange(t: TestContext): Promise<(...args: string[]) => RunningCommand> {
  const { cwd, url } = await serving(t, JSON.stringify(configuration));
  return (...args) => new RunningCommand(args, { cwd, env: { TUTTI_URL: url } });
}

test('PRE-2: last-seen tells who is online, and when the others were; --remove forgets it', { timeout }, async (t) => {
  const start = await arrange(t);
  const run = (...args: string[]): Promise<Finished> => start(...args).finished();
  const ann = start('sub', 'chat:a', '--user', 'ann', '--json');
  await ann.printed(/"type":"subscribed"/);
  const beforeMs = Date.now();
  const first = await run('last-seen', 'ann', 'a\u0007b');
  assert.equal(first.stdout, 'ann online\na\\u0007b never seen, or forgotten\n', first.stderr);
  ann.kill('SIGTERM');
  await ann.finished();
  let line = '';
  await eventually(async () => (line = (await run('last-seen', 'ann')).stdout).startsWith('ann last seen '), {
    withinMs: 30_000,
  });
  const atMs = Date.parse(line.slice('ann last seen '.length).trim());
  assert.ok(atMs >= beforeMs && atMs <= Date.now(), line);
  const asJson = JSON.parse((await run('last-seen', 'ann', '--json')).stdout) as object;
  assert.deepEqual(asJson, { type: 'seen', user: 'ann', online: false, last_seen: atMs });
  const denied = await run('last-seen', 'ann', '--remove', '--api-key', 'reader-key-of-24-characters-or-more');
  assert.equal(denied.code, 1, denied.stdout);
  assert.equal((await run('last-seen', 'ann', '--remove')).stdout, 'forgot when ann was last seen\n');
  assert.equal((await run('last-seen', 'ann')).stdout, 'ann never seen, or forgotten\n');
  const nobody = await run('last-seen');
  assert.equal(nobody.code, 2);
});

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { certificatesMissing, freePort, TestAuthority } from '@tutti/testkit';
import { testFolder } from '@tutti/testkit/test-settings';
import { RunningCommand, type Finished } from './testing/run-command.ts';

const skip = (await certificatesMissing()) ?? false;

test(
  'a node that speaks TLS is started, spoken to and drained by the command',
  { skip, timeout: 60_000 },
  async (t) => {
    const folder = await testFolder();
    t.after(() => folder.remove());
    const authority = await TestAuthority.make(join(folder.path, 'authority'));
    const { certFile: tlsCertFile, keyFile: tlsKeyFile } = authority.issue();
    const config = {
      ...{ port: await freePort(), tlsCertFile, tlsKeyFile, tokenHmacSecret: 'a secret of 32 bytes or more for this' },
      namespaces: { chat: { historySize: 10 } },
    };
    await writeFile(join(folder.path, 'tutti.config.json'), JSON.stringify(config));
    const command = (args: string[], env: Record<string, string> = {}): RunningCommand =>
      new RunningCommand(args, { cwd: folder.path, env });
    const finished = (args: string[], env?: Record<string, string>): Promise<Finished> => command(args, env).finished();
    const node = command(['serve', '--json']);
    t.after(() => node.kill('SIGKILL'));
    const [, port] = await node.printed(/"url":"https:\/\/127\.0\.0\.1:(\d+)"/);
    assert.equal(port, String(config.port));
    const believed = { NODE_EXTRA_CA_CERTS: authority.certFile };
    const published = await finished(['pub', 'chat:a', '{"n":1}'], believed);
    assert.equal(published.code, 0, published.stderr);
    const doubted = await finished(['pub', 'chat:a', '{"n":1}']);
    assert.equal(doubted.code, 1);
    assert.match(doubted.stderr, /certificate of localhost:\d+ is not believed here[\s\S]*NODE_EXTRA_CA_CERTS/);
    assert.equal((await finished(['drain'])).code, 0);
  },
);

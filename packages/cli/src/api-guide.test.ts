import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

import { RunningCommand } from './testing/run-command.ts';

const run = promisify(execFile);
const guide = readFileSync(new URL('../../../docs/guides/publish-from-your-backend.md', import.meta.url), 'utf8');
const curlVersion = /^curl (\d+)\.(\d+)/.exec(spawnSync('curl', ['--version'], { encoding: 'utf8' }).stdout ?? '');
const hasJsonFlag = Number(curlVersion?.[1] ?? 0) * 100 + Number(curlVersion?.[2] ?? 0) >= 782;

async function start(t: TestContext): Promise<{ cwd: string; url: string }> {
  const cwd = mkdtempSync(join(tmpdir(), 'tutti-api-guide-'));
  const server = new RunningCommand(['dev', '--no-demo', '--port', '0', '--json'], { cwd });
  t.after(async () => {
    server.kill('SIGKILL');
    await server.finished();
    rmSync(cwd, { recursive: true });
  });
  const [, url = ''] = await server.printed(/"type":"listening","url":"([^"]+)"/);
  return { cwd, url };
}

function blocks(language: string): string[] {
  return [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1] ?? '');
}

test(
  'the curl lines of the guide reach a subscriber',
  { skip: hasJsonFlag ? false : 'no curl with --json' },
  async (t) => {
    const { cwd, url } = await start(t);
    const listener = new RunningCommand(['sub', 'chat:general', '--count', '3', '--json'], {
      cwd,
      env: { TUTTI_URL: url },
    });
    await listener.printed(/"type":"subscribed"/);
    const lines = blocks('sh').slice(1).join('').replaceAll('http://localhost:8000', url).trim().split('\n');
    assert.equal(lines.length, 7);
    const script = ['set -e', ...lines].map((line) => line.replace(/^curl /, 'curl -sS --fail ')).join('\n');
    const { stdout } = await run('sh', ['-c', script], { cwd });
    const answers = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, Record<string, unknown>>);
    assert.equal(answers.length, 6);
    assert.ok(
      answers.every(({ result, replies }) => result !== undefined || replies !== undefined),
      stdout,
    );
    assert.equal(answers[0]?.['result']?.['offset'], 1);
    const heard = (await listener.finished()).stdout.split('\n').filter((line) => line.includes('"publication"'));
    const texts = heard.map((line) => (JSON.parse(line) as { data: { text: string } }).data.text);
    assert.deepEqual(texts, ['from curl', 'order 17 is paid', 'to all']);
  },
);

test('the backend of the guide publishes', async (t) => {
  const { cwd, url } = await start(t);
  // Where its import finds the package.
  const file = fileURLToPath(new URL(`./testing/guide-backend-${process.pid}.mts`, import.meta.url));
  writeFileSync(file, blocks('ts')[0] ?? '');
  t.after(() => {
    rmSync(file);
  });
  const { announce } = (await import(pathToFileURL(file).href)) as {
    announce: (url: string, key: string) => Promise<number>;
  };
  assert.equal(await announce(url, readFileSync(join(cwd, 'data/dev-api-key'), 'utf8').trim()), 1);
});

test('dev prints a ready line with the key that it made', async (t) => {
  const cwd = mkdtempSync(join(tmpdir(), 'tutti-api-guide-'));
  const server = new RunningCommand(['dev', '--no-demo', '--port', '0'], { cwd });
  t.after(async () => {
    server.kill('SIGKILL');
    await server.finished();
    rmSync(cwd, { recursive: true });
  });
  const [, key] = await server.printed(/curl -H 'X-API-Key: ([^']+)' --json '[^']+' http:\S+\/api\/publish/);
  assert.equal(key, readFileSync(join(cwd, 'data/dev-api-key'), 'utf8').trim());
});

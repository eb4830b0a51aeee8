import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { RunningCommand, type Finished } from './testing/run-command.ts';

type Line = Record<string, unknown>;

function folder(t: TestContext): string {
  const cwd = mkdtempSync(join(tmpdir(), 'tutti-cli-'));
  t.after(() => {
    rmSync(cwd, { recursive: true });
  });
  return cwd;
}

async function start(
  t: TestContext,
  cwd: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<{ url: string; server: RunningCommand }> {
  const server = new RunningCommand([...args, '--port', '0', '--json'], { cwd, env });
  t.after(() => {
    server.kill('SIGKILL');
  });
  const [, url = ''] = await server.printed(/"type":"listening","url":"([^"]+)"/);
  return { url, server };
}

function lines({ stdout }: Finished): Line[] {
  return stdout.trim() === ''
    ? []
    : stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Line);
}

test('dev: publish, subscribe, history and presence; then SIGTERM ends it with 0', async (t) => {
  const cwd = folder(t);
  const { url, server } = await start(t, cwd, ['dev', '--no-demo']);
  const env = { TUTTI_URL: url };
  const run = (args: string[], input?: string): RunningCommand =>
    new RunningCommand([...args, '--json'], { cwd, env, ...(input === undefined ? {} : { input }) });

  const listener = run(['sub', 'chat:general', '--count', '2', '--user', 'ann']);
  await listener.printed(/"type":"subscribed"/);
  const present = lines(await run(['presence', 'chat:general']).finished());
  assert.deepEqual(
    present.map(({ user }) => user),
    ['ann'],
  );

  const [published] = lines(
    await run(['pub', 'chat:general', '{"text":"hello"}', '--idempotency-key', 'k1']).finished(),
  );
  const [repeated] = lines(
    await run(['pub', 'chat:general', '{"text":"hello"}', '--idempotency-key', 'k1']).finished(),
  );
  assert.equal(published?.['offset'], 1);
  assert.deepEqual([repeated?.['offset'], repeated?.['duplicate']], [1, true], 'DEL-6');
  await run(['pub', 'chat:general', '-'], 'plain text\n').finished();

  const heard = lines(await listener.finished()).filter(({ type }) => type === 'publication');
  assert.deepEqual(
    heard.map(({ data, offset }) => [data, offset]),
    [
      [{ text: 'hello' }, 1],
      ['plain text', 2],
    ],
  );
  const personal = run(['sub', 'personal:ann', '--user', 'ann', '--count', '1']);
  await personal.printed(/"type":"subscribed","channel":"personal:ann"/);
  await run(['pub', 'personal:ann', '"for ann"']).finished();
  const forAnn = await personal.finished();
  assert.equal(forAnn.code, 0, forAnn.stderr);
  assert.equal(lines(forAnn).at(-1)?.['data'], 'for ann', 'a channel that the server subscribes is heard, too');

  const broken = await run(['pub', 'typing:general', '{"text":']).finished();
  assert.equal(broken.code, 0);
  assert.match(broken.stderr, /begins as JSON does and is none/);
  const quoted = await run(['pub', 'typing:general', '"{a text}"']).finished();
  assert.doesNotMatch(quoted.stderr, /begins as JSON/);

  const past = lines(await run(['history', 'chat:general', '--reverse', '--limit', '1']).finished());
  assert.deepEqual(
    past.map(({ type, offset }) => [type, offset]),
    [
      ['publication', 2],
      ['position', 2],
    ],
  );

  const unknown = await run(['pub', 'nowhere:x', '1']).finished();
  assert.equal(unknown.code, 1);
  assert.match(unknown.stderr, /Add \\"nowhere\\" to the option namespaces/);

  server.kill('SIGTERM');
  assert.equal((await server.finished()).code, 0, 'CON-3');
});

test('dev: without the key of its folder nobody publishes prices, and the refusal names the option', async (t) => {
  const { url } = await start(t, folder(t), ['dev']);
  const elsewhere = folder(t);
  const run = (args: string[]): Promise<Finished> =>
    new RunningCommand(args, { cwd: elsewhere, env: { TUTTI_URL: url } }).finished();
  const denied = await run(['pub', 'ticker:prices', '1']);
  assert.equal(denied.code, 1);
  assert.match(denied.stderr, /namespaces.ticker.allowPublish/);
  const prices = lines(await run(['sub', 'ticker:prices', '--count', '8', '--json'])).filter(
    ({ type }) => type === 'publication',
  );
  assert.equal(new Set(prices.map(({ key }) => key)).size, 8, 'the demo publishes each symbol in turn');
});

test('S5: serve lets in who has a token, with the rights of the token', async (t) => {
  const cwd = folder(t);
  const env = {
    TUTTI_TOKEN_HMAC_SECRET: 'a-secret-of-32-bytes-or-more-for-tests',
    TUTTI_NAMESPACES: '{"chat":{"historySize":10}}',
  };
  const { url, server } = await start(t, cwd, ['serve'], env);
  const run = (args: string[], more: Record<string, string>): Promise<Finished> =>
    new RunningCommand(args, { cwd, env: { TUTTI_URL: url, ...more } }).finished();

  const stranger = await run(['pub', 'chat:a', '1'], {});
  assert.equal(stranger.code, 1);
  assert.match(stranger.stderr, /asks for a token[\s\S]*tutti token/);
  assert.equal((await run(['pub', 'chat:a', '1'], env)).code, 0, 'with the key, a token for exactly this is made');

  const token = (await run(['token', '--user', 'ann', '--caps', 'chat:a=history'], env)).stdout.trim();
  assert.match((await run(['history', 'chat:a'], { TUTTI_TOKEN: token })).stdout, /chat:a #1/);
  const denied = await run(['pub', 'chat:a', '1'], { TUTTI_TOKEN: token });
  assert.equal(denied.code, 1);
  assert.match(denied.stderr, /code 103/);

  server.kill('SIGINT');
  assert.equal((await server.finished()).code, 0, 'CON-3');
});

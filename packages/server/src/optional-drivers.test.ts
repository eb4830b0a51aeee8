import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const here = fileURLToPath(new URL('.', import.meta.url));

/** A process in which the drivers of the engines are not installed. */
async function withoutDrivers(program: string): Promise<string> {
  const hooks = `
    import { registerHooks } from 'node:module';
    registerHooks({
      resolve(name, context, next) {
        if (!/^(ioredis|@nats-io[/].*)$/.test(name)) return next(name, context);
        throw Object.assign(new Error('Cannot find package ' + name), { code: 'ERR_MODULE_NOT_FOUND' });
      },
    });`;
  const preload = `data:text/javascript,${encodeURIComponent(hooks)}`;
  const { stdout } = await run(process.execPath, ['--import', preload, '--input-type=module', '-e', program], {
    cwd: here,
    timeout: 120_000,
  });
  return stdout.trim();
}

test('the package, its internal face and its settings need no driver of an engine', async () => {
  const program = `
    for (const face of ['server', 'server/internal', 'server/config']) {
      const names = Object.keys(await import('@tutti/' + face));
      if (names.length === 0) throw new Error(face + ' is empty');
    }
    console.log('loaded');`;
  assert.equal(await withoutDrivers(program), 'loaded');
});

test('an engine whose driver is not installed stops the node, and says what to install', async () => {
  const program = `
    import { createServer } from '@tutti/server';
    import { nullLog } from '@tutti/server/internal';
    import { testFolder, testSettings } from '@tutti/testkit/test-settings';
    const folder = await testFolder();
    for (const engine of ['redis://127.0.0.1:1', 'nats://127.0.0.1:1']) {
      const settings = testSettings({ settings: { engine } }, folder.path);
      await createServer({ settings, log: nullLog }).then(
        () => console.log('started'),
        (error) => console.log(error.message),
      );
    }
    await folder.remove();
    process.exit();`;
  const [redis = '', nats = ''] = (await withoutDrivers(program)).split('\n');
  assert.match(redis, /npm install ioredis/);
  assert.match(nats, /npm install @nats-io[/]transport-node @nats-io[/]jetstream/);
});

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { Tutti } from '@tutti/client';
import { freePort, spawnNode, type SpawnedNode } from '@tutti/testkit';
import { requireService } from '@tutti/testkit/services';

// The console of a node as it is served to operators, in a real browser.

const service = await requireService('chromium');
const skip = 'skip' in service ? service.skip : false;
const timeout = 110_000;
const buildDashboard = fileURLToPath(new URL('../../scripts/build-dashboard.ts', import.meta.url));
const opening = 'a-key-that-opens-the-console';
const publishing = 'a-key-that-may-only-publish';

let browser: Browser | undefined;
before(() => {
  if (skip === false) execFileSync(process.execPath, [buildDashboard], { stdio: 'inherit' });
});
after(() => browser?.close());

async function pageOf(url: string): Promise<Page> {
  assert.ok('path' in service);
  browser ??= await chromium.launch({
    executablePath: service.path,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  });
  const page = await (await browser.newContext({ viewport: { width: 1_200, height: 900 } })).newPage();
  page.setDefaultTimeout(30_000);
  await page.goto(url);
  return page;
}

type Settings = NonNullable<Parameters<typeof spawnNode>[0]>['settings'];

async function start(t: TestContext, settings: Settings): Promise<SpawnedNode> {
  const node = await spawnNode({
    settings: {
      apiKeys: [
        { name: 'console', key: opening, allow: ['console'] },
        { name: 'publisher', key: publishing, allow: ['publish'] },
      ],
      ...{ nodeName: 'figured', loopLagMaxMs: 0, ...settings },
    },
    namespaces: {
      tutti: { historySize: 120, allowSubscribe: 'token', allowHistory: 'nobody', allowPublish: 'nobody' },
    },
  });
  t.after(() => node.close());
  return node;
}

async function show(page: Page, key: string): Promise<void> {
  await page.getByLabel('API key').fill(key);
  await page.getByRole('button', { name: 'Open' }).click();
}

async function mustShowFigures(page: Page): Promise<void> {
  await page.getByText('node figured').waitFor();
  await page.getByText('Connections', { exact: true }).waitFor();
}

/** What the node tells whoever has no key, by the endpoint of that page. */
async function refusalOf(url: string, token?: string): Promise<string> {
  const tutti = new Tutti(`${url.replace('http', 'ws')}/connection/websocket`, token === undefined ? {} : { token });
  try {
    return await new Promise((resolve) => {
      tutti.on('error', () => undefined);
      tutti.on('state', ({ to, reason }) => {
        if (to === 'disconnected') resolve(reason);
      });
      tutti.subscribe('tutti:stats').on('unsubscribed', ({ reason }) => resolve(reason));
      tutti.subscribe('tutti:stats').on('subscribed', () => resolve('subscribed'));
    });
  } finally {
    tutti.close();
  }
}

test('S27: in Chromium, the console asks for a key, and shows nothing without', { skip, timeout }, async (t) => {
  const metricsPort = await freePort();
  const node = await start(t, { metricsPort, console: 'metricsPort' });
  const operators = `http://127.0.0.1:${metricsPort}`;
  assert.equal((await fetch(`${node.url}/console`)).status, 404);
  const page = await pageOf(`${operators}/console`);
  await page.getByText('has the right console').waitFor();
  await show(page, 'a-key-that-nobody-has-made');
  await page.getByRole('alert').getByText('invalid token').waitFor();
  await show(page, publishing);
  await page.getByRole('alert').getByText('permission denied').waitFor();
  assert.equal(await page.getByText('node figured').count(), 0);
  await show(page, opening);
  await mustShowFigures(page);
  const kept = await page.evaluate(() =>
    [localStorage, sessionStorage].map((storage) => Object.values(storage) as string[]),
  );
  assert.deepEqual(
    kept.map((values) => values.includes(opening)),
    [false, true],
  );
  assert.deepEqual([page.url(), await page.evaluate(() => document.cookie)], [`${operators}/console`, '']);
  await page.reload();
  await mustShowFigures(page);
  const picture = process.env['TUTTI_PICTURES'];
  if (picture !== undefined) await page.screenshot({ path: `${picture}/console.png` });
  await page.getByRole('button', { name: 'Forget the key' }).click();
  await page.getByText('has the right console').waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.getItem('tutti.apiKey')), null);
  if (picture !== undefined) await page.screenshot({ path: `${picture}/sign-in.png` });
  const another = await pageOf(`${operators}/console`);
  await another.getByText('has the right console').waitFor();
});

test('S27: strangers and users are told nothing of the figures, on either port', { timeout }, async (t) => {
  const metricsPort = await freePort();
  const node = await start(t, { metricsPort, console: 'metricsPort', allowAnonymous: true });
  for (const url of [node.url, `http://127.0.0.1:${metricsPort}`]) {
    assert.match(await refusalOf(url), /permission denied/);
    assert.match(await refusalOf(url, await node.token({ user: 'ann' })), /permission denied/);
    assert.match(await refusalOf(url, `apikey:${publishing}`), /permission|right/);
    assert.equal(await refusalOf(url, `apikey:${opening}`), 'subscribed');
  }
});

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { requireService } from '@tutti/testkit/services';
import { DevNode } from './dev-node.ts';

// The dashboard in a real browser: two windows of the chat, and a node that is killed under them.

const service = await requireService('chromium');
const skip = 'skip' in service ? service.skip : false;
const buildDashboard = fileURLToPath(new URL('../../scripts/build-dashboard.ts', import.meta.url));

const waitMsMax = 20_000;
const hostile = '<img src=x onerror="document.title=1"><script>document.title=2</script> & "quoted"';

let browser: Browser | undefined;
before(() => {
  // Quick where nothing changed since the last build.
  if (skip === false) execFileSync(process.execPath, [buildDashboard], { stdio: 'inherit' });
});
after(() => browser?.close());

/** A window of its own, with its own storage, of a person of this name. Problems are errors of the page itself. */
async function openWindow(url: string, name: string, problems: string[]): Promise<Page> {
  assert.ok('path' in service);
  browser ??= await chromium.launch({
    executablePath: service.path,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  });
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(waitMsMax);
  page.on('pageerror', (error) => problems.push(`${name}: ${error.message}`));
  page.on('console', (message) => {
    // While the node is down, a browser reports each refused attempt as an error.
    if (message.type() === 'error' && !message.text().includes('WebSocket connection')) problems.push(message.text());
  });
  await page.goto(`${url}/chat`);
  await page.getByLabel('Your name').fill(name);
  await page.getByLabel('Your name').press('Enter');
  await sees(page, '.people .name', name);
  return page;
}

/** Waits for an element of this selector with exactly this text. */
async function sees(page: Page, selector: string, text: string): Promise<void> {
  await page.waitForFunction(
    ([wanted, exact]) => [...document.querySelectorAll(wanted!)].some((element) => element.textContent === exact),
    [selector, text],
  );
}

async function say(page: Page, text: string): Promise<void> {
  await page.locator('.composer textarea').fill(text);
  await page.locator('.composer textarea').press('Enter');
}

const stored = '.message:not(.outgoing) .text';

test('DEL-5: two windows talk on, each message once, when the node is killed under them', { skip }, async () => {
  const node = await DevNode.start();
  try {
    const problems: string[] = [];
    const ada = await openWindow(node.url, 'Ada <b>', problems);
    const bob = await openWindow(node.url, 'Bob', problems);
    await sees(ada, '.people .name', 'Bob');

    await ada.locator('.composer textarea').pressSequentially('he');
    await sees(bob, '.typing', 'Ada <b> is typing');
    await say(ada, hostile);
    await sees(bob, stored, hostile);
    await say(bob, 'hello Ada');
    await sees(ada, stored, 'hello Ada');

    await node.kill();
    await ada.waitForSelector('.banner.warn');
    await say(ada, 'written while nobody was there');
    await sees(ada, '.outgoing .state', 'Waits for the connection');
    await node.restart();
    await sees(bob, stored, 'written while nobody was there');
    await sees(ada, stored, 'written while nobody was there');
    await say(bob, 'and on it goes');
    for (const page of [ada, bob]) await sees(page, stored, 'and on it goes');

    const expected = [hostile, 'hello Ada', 'written while nobody was there', 'and on it goes'];
    for (const page of [ada, bob]) {
      assert.deepEqual(await page.locator(stored).allTextContents(), expected);
      assert.equal(await page.locator('.outgoing').count(), 0);
      assert.equal(await page.locator('.banner').count(), 0);
      assert.equal(await page.title(), 'Chat · Tutti');
    }
    assert.deepEqual(problems, []);
  } finally {
    await node.close();
  }
});

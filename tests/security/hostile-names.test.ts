import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { Tutti } from '@tutti/client';
import { requireService } from '@tutti/testkit/services';
import { DevNode } from '../e2e/dev-node.ts';

// Names and payloads that are markup, shown by the pages of the node in a real browser.

const service = await requireService('chromium');
const skip = 'skip' in service ? service.skip : false;
const timeout = 110_000;
const buildDashboard = fileURLToPath(new URL('../../scripts/build-dashboard.ts', import.meta.url));

/** Each would call `owned` where it were taken for markup, script or an address. */
const corpus = [
  '<script>owned(1)</script>',
  '<img src=x onerror=owned(2)>',
  '<svg/onload=owned(3)>',
  '"><svg onload=owned(4)>',
  "'-owned(5)-'",
  'javascript:owned(6)',
  '</title><script>owned(7)</script>',
  '<iframe srcdoc="<script>parent.owned(8)</script>">',
  '<a href="javascript:owned(9)" autofocus onfocus=owned(9)>',
  '{{constructor.constructor("owned(10)")()}}',
  '${owned(11)}',
  '<math><mtext></form><form><mglyph><style></math><img src onerror=owned(12)>',
  '<details open ontoggle=owned(13)>',
  '\u202etxt.<b>',
];
// Names without a space at either end and without `*`; the console shows the ten busiest.
const channels = corpus.slice(0, 8).map((text) => `demo:${text.replaceAll(':', ' ')}`);

let browser: Browser | undefined;
before(() => {
  if (skip === false) execFileSync(process.execPath, [buildDashboard], { stdio: 'inherit' });
});
after(() => browser?.close());

interface Watched {
  readonly page: Page;
  readonly problems: string[];
}

async function open(url: string): Promise<Watched> {
  assert.ok('path' in service);
  browser ??= await chromium.launch({
    executablePath: service.path,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  });
  const page = await (await browser.newContext()).newPage();
  page.setDefaultTimeout(60_000);
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  page.on('dialog', (dialog) => problems.push(`dialog ${dialog.message()}`));
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  await page.exposeFunction('owned', (which: number) => problems.push(`ran ${which}`));
  await page.goto(url);
  return { page, problems };
}

async function shows(page: Page, text: string): Promise<void> {
  await page.waitForFunction((wanted) => document.body.textContent.includes(wanted), text);
}

/** No element came from a text, none ran, and the policy of content had nothing to stop. */
async function assertHarmless({ page, problems }: Watched): Promise<void> {
  const foreign = await page.evaluate(() => {
    const made = [
      ...document.querySelectorAll(
        'iframe, math, details, img[src="x"], form form, [onerror], [onload], [onfocus], [ontoggle], a[href^="javascript:"]',
      ),
    ];
    return made.map((element) => element.outerHTML.slice(0, 200));
  });
  assert.deepEqual(foreign, []);
  assert.deepEqual(problems, []);
}

/** One user for each hostile name, all in the channels of hostile names: those are the busiest then. */
function crowd(t: TestContext, url: string): Promise<Tutti[]> {
  const join = async (user: string): Promise<Tutti> => {
    const tutti = new Tutti(`${url.replace('http', 'ws')}/connection/websocket`, { data: { user } });
    t.after(() => tutti.close());
    await tutti.ready();
    const subscribed = (channel: string): Promise<void> =>
      new Promise((resolve) => tutti.subscribe(channel).on('subscribed', () => resolve()));
    await Promise.all(channels.map(subscribed));
    return tutti;
  };
  return Promise.all(corpus.map(join));
}

test(
  'S27: in Chromium, the console shows hostile channels, users and payloads as text',
  { skip, timeout },
  async (t) => {
    const node = await DevNode.start(['--loop-lag-max', '0ms']);
    t.after(() => node.close());
    const [user] = await crowd(t, node.url);
    const watched = await open(`${node.url}/console`);
    const { page } = watched;
    for (const channel of channels) await shows(page, channel);
    const channel = channels[0] ?? '';
    await page.getByRole('textbox', { name: 'Channel' }).fill(channel);
    await page.getByRole('button', { name: 'Subscribe' }).click();
    await shows(page, `${channel}: subscribed`);
    for (const text of corpus) {
      await user?.publish(channel, { [text]: text, text });
      await shows(page, JSON.stringify(text));
    }
    await shows(page, corpus[0] ?? '');
    await assertHarmless(watched);
  },
);

test('S27: in Chromium, the chat shows hostile users and messages as text', { skip, timeout }, async (t) => {
  const node = await DevNode.start(['--loop-lag-max', '0ms']);
  t.after(() => node.close());
  const watched = await open(`${node.url}/chat`);
  for (const [i, text] of corpus.entries()) {
    const tutti = new Tutti(`${node.url.replace('http', 'ws')}/connection/websocket`, { data: { user: text } });
    t.after(() => tutti.close());
    await tutti.publish('chat:general', { text: `${i} ${text}`, kind: text, name: text });
    await shows(watched.page, `${i} ${text}`);
  }
  await assertHarmless(watched);
});

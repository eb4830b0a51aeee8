import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import type { Tutti } from '@tutti/client';
import { build } from 'vite';
import { eventually, HttpProxy, startNode, type StartedNode, type UpgradeFate } from '@tutti/testkit';
import { requireService } from '@tutti/testkit/services';

// The browser's own EventSource, and our SDK without WebSocket, in a real browser behind a proxy that cuts.

const service = await requireService('chromium');
const skip = 'skip' in service ? service.skip : false;
const timeout = 90_000;

let node: StartedNode;
let browser: Browser | undefined;

before(async () => {
  node = await startNode({
    namespaces: { log: { historySize: 1_000 } },
    settings: { allowAnonymous: true, pingIntervalMs: 1_000, pongTimeoutMs: 900 },
  });
});
after(async () => {
  await browser?.close();
  await node.close();
});

/** A page whose origin is the proxy's. What it has open is kept in `window.seen`. */
async function openPage(t: TestContext, upgrades: UpgradeFate): Promise<{ page: Page; proxy: HttpProxy }> {
  assert.ok('path' in service);
  browser ??= await chromium.launch({
    executablePath: service.path,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  });
  const proxy = await HttpProxy.start({ target: node, upgrades });
  const page = await (await browser.newContext()).newPage();
  t.after(async () => {
    await page.close();
    await proxy.close();
  });
  await page.goto(`${proxy.url}/health`);
  return { page, proxy };
}

interface Seen {
  offsets: number[];
  /** Ways over which the SDK was connected, or times the stream was opened. */
  opened: string[];
  gaps: number;
}
interface Watched {
  seen: Seen;
}

function seenBy(page: Page): Promise<Seen> {
  return page.evaluate(() => (globalThis as unknown as Watched).seen);
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

/** Publishes all the time, and cuts everything so many times once it has been opened again. */
async function publishAndCut(page: Page, proxy: HttpProxy, channel: string, cuts: number): Promise<number> {
  let published = 0;
  let isOver = false;
  const publishing = (async (): Promise<void> => {
    while (!isOver) {
      await node.server.publish(channel, { n: (published += 1) });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  for (let cut = 1; cut <= cuts; cut += 1) {
    proxy.cutAll();
    await eventually(async () => (await seenBy(page)).opened.length > cut, { withinMs: 30_000 });
    const { offsets } = await seenBy(page);
    await eventually(async () => (await seenBy(page)).offsets.length > offsets.length);
  }
  isOver = true;
  await publishing;
  return published;
}

test('DEL-2: EventSource resumes by itself after cuts, and misses nothing', { skip, timeout }, async (t) => {
  const { page, proxy } = await openPage(t, 'pass');
  await page.evaluate(() => {
    const seen: Seen = { offsets: [], opened: [], gaps: 0 };
    (globalThis as unknown as Watched).seen = seen;
    const source = new EventSource('/connection/uni_sse?channels=log:events');
    source.onopen = () => seen.opened.push('event source');
    source.onmessage = ({ data }) => seen.offsets.push((JSON.parse(String(data)) as { offset: number }).offset);
    source.addEventListener('gap', () => (seen.gaps += 1));
  });
  await eventually(async () => (await seenBy(page)).opened.length === 1);
  await eventually(() => node.server.figures().subscriptions === 1);
  const published = await publishAndCut(page, proxy, 'log:events', 3);
  await eventually(async () => (await seenBy(page)).offsets.length >= published);
  const { offsets, gaps } = await seenBy(page);
  assert.deepEqual([offsets, gaps], [upTo(published), 0]);
});

for (const upgrades of ['refuse', 'swallow'] as const) {
  test(
    `CON-7: where a proxy would ${upgrades} WebSocket, the SDK goes over HTTP in the browser`,
    { skip, timeout },
    async (t) => {
      const { page, proxy } = await openPage(t, upgrades);
      const channel = `log:${upgrades}`;
      await page.evaluate(await sdkForPages());
      await page.evaluate((channel) => {
        const seen: Seen = { offsets: [], opened: [], gaps: 0 };
        const { Tutti: Client } = (globalThis as unknown as { TuttiClient: { Tutti: typeof Tutti } }).TuttiClient;
        const url = `${location.origin}/connection/websocket`;
        const tutti = new Client(url, { reconnectMinMs: 50, reconnectMaxMs: 500, timeoutMs: 2_000 });
        tutti.on('connected', ({ transport }) => seen.opened.push(transport));
        const subscription = tutti.subscribe(channel);
        subscription.on('publication', ({ offset = 0 }) => seen.offsets.push(offset));
        subscription.on('gap', () => (seen.gaps += 1));
        Object.assign(globalThis, { seen, tutti });
      }, channel);
      await eventually(async () => (await seenBy(page)).opened.length === 1, { withinMs: 20_000 });
      await eventually(() => node.server.figures().subscriptions >= 1);
      let published = await publishAndCut(page, proxy, channel, 3);
      // The other direction, too.
      await page.evaluate((channel) => {
        const { tutti } = globalThis as unknown as { tutti: Tutti };
        return Promise.all(Array.from({ length: 20 }, (_, n) => tutti.publish(channel, { n })));
      }, channel);
      published += 20;
      await eventually(async () => (await seenBy(page)).offsets.length >= published);
      const { offsets, opened, gaps } = await seenBy(page);
      assert.deepEqual([offsets, gaps], [upTo(published), 0]);
      assert.deepEqual(new Set(opened), new Set(['http_stream']));
    },
  );
}

/** The SDK as a script that sets `TuttiClient`. */
async function sdkForPages(): Promise<string> {
  const entry = fileURLToPath(new URL('../../packages/client/src/index.ts', import.meta.url));
  const result = await build({
    configFile: false,
    logLevel: 'error',
    build: { write: false, lib: { entry, name: 'TuttiClient', formats: ['iife'], fileName: 'client' } },
  });
  const [output] = Array.isArray(result) ? result : [result];
  if (output === undefined || !('output' in output)) throw new Error('the bundler gave no output');
  const code = output.output.map((chunk) => (chunk.type === 'chunk' ? chunk.code : '')).join('');
  return code.replace(/^var TuttiClient/m, 'globalThis.TuttiClient');
}

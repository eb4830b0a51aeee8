import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { chromium, type Browser } from 'playwright-core';
import { requireService } from '@tutti/testkit/services';
import { root } from '../../scripts/files.ts';
import { DevNode } from './dev-node.ts';

// docs/guides/curl-to-browser.md, followed: its page in Chromium, its lines in a shell.

const service = await requireService('chromium');
const version = /^curl (\d+)\.(\d+)/.exec(spawnSync('curl', ['--version'], { encoding: 'utf8' }).stdout ?? '');
const hasJsonFlag = Number(version?.[1] ?? 0) * 100 + Number(version?.[2] ?? 0) >= 782;
const skip = 'skip' in service ? service.skip : hasJsonFlag ? false : 'no curl with --json';

const guide = readFileSync(join(root, 'docs/guides/curl-to-browser.md'), 'utf8');
const blocks = (language: string): string[] =>
  [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map((match) => match[1] ?? '');

let browser: Browser | undefined;
after(() => browser?.close());

test(
  'a message goes from curl to a page without an SDK, and what was missed comes after a kill',
  { skip, timeout: 60_000 },
  async (t) => {
    assert.ok('path' in service);
    const node = await DevNode.start(['--no-demo']);
    t.after(() => node.close());
    const [html = ''] = blocks('html').map((text) => text.replaceAll('http://localhost:8000', node.url));
    const site = createServer((_request, response) => response.setHeader('Content-Type', 'text/html').end(html));
    site.listen(0, '127.0.0.1');
    await once(site, 'listening');
    t.after(() => {
      site.closeAllConnections();
      site.close();
    });
    browser = await chromium.launch({
      executablePath: service.path,
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run'],
    });
    const page = await browser.newPage();
    page.setDefaultTimeout(20_000);
    const stream = page.waitForResponse((response) => response.url().includes('uni_sse'));
    await page.goto(`http://localhost:${(site.address() as AddressInfo).port}/page.html`);
    assert.equal((await stream).status(), 200);
    const shell = async (script: string): Promise<string[]> => {
      const lines = `set -e\nexport TUTTI_API_KEY="$(cat data/dev-api-key)"\n${script.replaceAll('http://localhost:8000', node.url)}`;
      const { stdout } = await promisify(execFile)('sh', ['-c', lines], { cwd: node.folder });
      return stdout.trim().split('\n');
    };
    const shown = (count: number): Promise<unknown> =>
      page.waitForFunction((wanted) => document.querySelectorAll('li').length === wanted, count);
    const [, hello = '', twice = '', history = ''] = blocks('sh');
    const [published = ''] = await shell(hello);
    assert.match(published, /^\{"result":\{"offset":1,"epoch":"[^"]+"\}\}$/);
    await shown(1);
    const [first = '', second = ''] = await shell(twice);
    assert.match(first, /"offset":2/);
    assert.match(second, /"offset":2.*"duplicate":true/);
    await shown(2);
    await node.kill();
    await node.restart();
    await shell(hello);
    await shown(3);
    assert.deepEqual(await page.locator('li').allTextContents(), ['1 hello from curl', '2 paid', '3 hello from curl']);
    const [kept = ''] = await shell(history);
    assert.equal((JSON.parse(kept) as { result: { publications: unknown[] } }).result.publications.length, 3);
  },
);

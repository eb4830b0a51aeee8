import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { after, test, type TestContext } from 'node:test';
import { chromium, type Browser, type Page } from 'playwright-core';
import { spawnNode, type SpawnedNode } from '@tutti/testkit';
import { requireService } from '@tutti/testkit/services';

// A page of another site, in a real browser whose user is signed in at ours.

const service = await requireService('chromium');
const skip = 'skip' in service ? service.skip : false;
const timeout = 60_000;

let browser: Browser | undefined;
after(() => browser?.close());

async function pageOf(url: string): Promise<Page> {
  assert.ok('path' in service);
  browser ??= await chromium.launch({
    executablePath: service.path,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
  });
  const page = await (await browser.newContext()).newPage();
  await page.goto(url);
  return page;
}

/** Another site: any page, with what browsers call an origin of its own. */
async function site(t: TestContext): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><title>a page of strangers</title>');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What each way of reaching the node comes to, from inside the page. `token` is what a page of ours would have. */
function attempt(
  page: Page,
  node: string,
  token: string,
  credentials: 'include' | 'omit',
): Promise<Record<string, string>> {
  return page.evaluate(
    async ({ node, token, credentials }) => {
      const command = JSON.stringify({ id: 1, connect: { token } });
      const webSocket = new Promise<string>((resolve) => {
        const socket = new WebSocket(`${node.replace('http', 'ws')}/connection/websocket`);
        socket.onopen = () => socket.send(command);
        socket.onmessage = ({ data }) => resolve(String(data).includes('"connect"') ? 'connected' : String(data));
        socket.onclose = ({ code }) => resolve(`closed ${code}`);
      });
      const eventSource = new Promise<string>((resolve) => {
        const source = new EventSource(`${node}/connection/sse?cf_connect=${encodeURIComponent(command)}`, {
          withCredentials: credentials === 'include',
        });
        source.onmessage = () => resolve('connected');
        source.onerror = () => {
          source.close();
          resolve('refused');
        };
      });
      const stream = fetch(`${node}/connection/http_stream`, {
        method: 'POST',
        body: command,
        credentials,
      }).then(
        async (response) => {
          const first = await response.body?.getReader().read();
          return new TextDecoder().decode(first?.value).includes('"connect"')
            ? 'connected'
            : `status ${response.status}`;
        },
        () => 'refused',
      );
      const api = fetch(`${node}/api/info`, { method: 'POST', body: '{}', credentials }).then(
        () => 'readable',
        () => 'refused',
      );
      return { webSocket: await webSocket, eventSource: await eventSource, stream: await stream, api: await api };
    },
    { node, token, credentials },
  );
}

async function start(t: TestContext, allowedOrigins: string[]): Promise<SpawnedNode> {
  const node = await spawnNode({
    settings: { allowedOrigins, allowAnonymous: true, loopLagMaxMs: 0 },
    namespaces: { chat: {} },
  });
  t.after(() => node.close());
  return node;
}

test(
  'S1: in Chromium, a page of another origin reaches nothing, cookies and a token or not',
  { skip, timeout },
  async (t) => {
    const stranger = await site(t);
    const node = await start(t, ['https://app.example.com']);
    const page = await pageOf(stranger);
    // The victim has a cookie for the node's host; cookies know no ports, so it is sent along.
    await page.context().addCookies([{ name: 'session', value: 'victim', url: node.url }]);
    const token = await node.token({ user: 'victim' });
    for (const credentials of ['include', 'omit'] as const) {
      const came = await attempt(page, node.url, token, credentials);
      assert.deepEqual(came, { webSocket: 'closed 1006', eventSource: 'refused', stream: 'refused', api: 'refused' });
    }
  },
);

test(
  'S1: in Chromium, a page of an origin that is listed connects, by each transport',
  { skip, timeout },
  async (t) => {
    const ours = await site(t);
    const node = await start(t, [ours]);
    const came = await attempt(await pageOf(ours), node.url, await node.token({ user: 'ann' }), 'omit');
    assert.deepEqual(came, { webSocket: 'connected', eventSource: 'connected', stream: 'connected', api: 'refused' });
  },
);

test(
  'S1: in Chromium, a page without an origin of its own (sandboxed, or a file of data) is refused',
  { skip, timeout },
  async (t) => {
    const stranger = await site(t);
    const node = await start(t, ['*']);
    const page = await pageOf(stranger);
    const outcome = await page.evaluate((url) => {
      const frame = document.createElement('iframe');
      frame.setAttribute('sandbox', 'allow-scripts');
      frame.srcdoc = `<script>
      const socket = new WebSocket(${JSON.stringify(url)});
      socket.onopen = () => parent.postMessage('open', '*');
      socket.onclose = () => parent.postMessage('closed', '*');
    </script>`;
      return new Promise((resolve) => {
        addEventListener('message', ({ data }) => resolve(data));
        document.body.append(frame);
      });
    }, node.wsUrl);
    assert.equal(outcome, 'closed');
  },
);

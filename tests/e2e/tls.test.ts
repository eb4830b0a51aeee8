import assert from 'node:assert/strict';
import { request, type RequestOptions } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import type { TransportName as OfficialTransport } from 'centrifuge';
import type { TransportName } from '@tutti/client';
import {
  certificatesMissing,
  connectClient,
  eventually,
  PlainEventSource,
  startHaproxy,
  startNginx,
  startNode,
  TestAuthority,
  type StartedNode,
} from '@tutti/testkit';
import { requireService } from '@tutti/testkit/services';
import { testFolder, type TestFolder } from '@tutti/testkit/test-settings';
import { connectSdk, jsonSdk, protobufSdk } from './official-sdk.ts';

// TLS as it is deployed: ended by the proxies of deploy/, or by the node. Certificates are made here, and believed by this
// process alone.

const noCertificates = await certificatesMissing();
const nginx = await requireService('nginx');
const haproxy = await requireService('haproxy');
const browser = await requireService('chromium');
const timeout = 60_000;
const foreign = 'https://app.example.evil.com';

/** What clients speak TLS with, before the node. */
interface Front {
  readonly url: string;
  close(): Promise<void>;
}

interface Way {
  readonly name: string;
  readonly service: Awaited<ReturnType<typeof requireService>> | undefined;
  readonly start?: typeof startNginx;
}

const ways: readonly Way[] = [
  { name: 'the node itself', service: undefined },
  { name: 'nginx', service: nginx, start: startNginx },
  { name: 'haproxy', service: haproxy, start: startHaproxy },
];

let folder: TestFolder;
let authority: TestAuthority;
before(async () => {
  if (noCertificates !== undefined) return;
  folder = await testFolder();
  authority = await TestAuthority.make(folder.path);
  authority.trustHere();
});
after(() => folder?.remove());

const shared = { trustedProxies: ['127.0.0.1'], loopLagMaxMs: 0 } as const;
const namespaces = { log: { historySize: 100 } };

/** A node, and what stands before it. */
async function open(
  { service, start }: Way,
  settings: NonNullable<Parameters<typeof startNode>[0]>['settings'] = {},
): Promise<{ node: StartedNode; front: Front }> {
  const certificate = authority.issue();
  if (service === undefined || start === undefined || !('path' in service)) {
    const own = { tlsCertFile: certificate.certFile, tlsKeyFile: certificate.keyFile };
    const node = await startNode({ namespaces, settings: { ...shared, ...own, ...settings } });
    return { node, front: { url: node.url, close: () => Promise.resolve() } };
  }
  const node = await startNode({ namespaces, settings: { ...shared, ...settings } });
  return { node, front: await start({ path: service.path, targets: [node.port], certificate }) };
}

for (const way of ways) {
  const missing = way.service !== undefined && 'skip' in way.service ? way.service.skip : undefined;
  const skip = noCertificates ?? missing ?? false;

  describe(`TLS by ${way.name}`, { skip, timeout }, () => {
    let node: StartedNode;
    let front: Front;
    before(async () => {
      if (skip !== false) return;
      ({ node, front } = await open(way));
    });
    after(async () => {
      await front.close();
      await node.close();
    });

    for (const transport of ['websocket', 'http_stream', 'sse'] as const satisfies TransportName[]) {
      for (const codec of ['json', 'protobuf'] as const) {
        if (transport === 'sse' && codec === 'protobuf') continue;
        test(`S33: our SDK goes through by ${transport} in ${codec}, both ways`, async (t) => {
          const url = `${front.url.replace('http', 'ws')}/connection/websocket`;
          const client = await connectClient(node, { user: 'ann', url, transports: [transport], codec });
          t.after(() => client.close());
          const channel = `log:${transport}-${codec}`;
          const { events } = await client.follow(channel);
          await client.tutti.publish(channel, { n: 1 });
          await node.server.publish(channel, { n: 2 });
          const seen = await events.count('publication', 2);
          assert.deepEqual(
            seen.map(({ data }) => data),
            [{ n: 1 }, { n: 2 }],
          );
          assert.equal(client.events.all('connected')[0]?.transport, transport);
        });
      }
    }

    for (const transport of ['websocket', 'http_stream', 'sse'] as const satisfies OfficialTransport[]) {
      for (const codec of [jsonSdk, protobufSdk]) {
        if (transport === 'sse' && codec === protobufSdk) continue;
        test(`S33: the official SDK goes through by ${transport} in ${codec.name}, both ways`, async (t) => {
          const base = transport === 'websocket' ? front.url.replace('http', 'ws') : front.url;
          const sdk = await connectSdk(t, codec, node, {
            user: 'bob',
            url: [{ transport, endpoint: `${base}/connection/${transport}` }],
            emulationEndpoint: `${front.url}/emulation`,
            eventsource: PlainEventSource,
          });
          const channel = `log:official-${transport}-${codec.name}`;
          const followed = await sdk.follow(channel);
          await sdk.publish(channel, { n: 1 });
          await node.server.publish(channel, { n: 2 });
          const seen = await followed.publications(2);
          assert.deepEqual(
            seen.map(({ value }) => value),
            [{ n: 1 }, { n: 2 }],
          );
        });
      }
    }

    test('S1: a page of its own secure origin connects, a foreign one and its plain twin do not', async () => {
      const own = front.url;
      const statuses = async (origin: string): Promise<number[]> => [
        await statusOf(`${own}/connection/websocket`, { headers: { Origin: origin, ...upgrade } }),
        await statusOf(`${own}/connection/uni_sse?channels=log:a`, { headers: { Origin: origin } }),
      ];
      // 401: it may ask, and has no token.
      assert.deepEqual(await statuses(own), [101, 401]);
      assert.deepEqual(await statuses(foreign), [403, 403]);
      assert.deepEqual(await statuses(`${own}.evil.com`), [403, 403]);
      assert.deepEqual(await statuses('https://localhost'), [403, 403], 'the same name at another port');
    });

    const noBrowser = 'skip' in browser ? browser.skip : false;
    test('S1: in Chromium, a page of that origin connects by each transport', { skip: noBrowser }, async (t) => {
      assert.ok('path' in browser);
      const token = await node.token({ user: 'ann' });
      const chrome = await chromium.launch({
        executablePath: browser.path,
        args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
      });
      t.after(() => chrome.close());
      // It does not know the throw-away authority.
      const page = await (await chrome.newContext({ ignoreHTTPSErrors: true })).newPage();
      await page.goto(`${front.url}/health`);
      assert.equal(await page.evaluate(() => isSecureContext), true);
      assert.deepEqual(await page.evaluate(connectFromPage, token), {
        webSocket: true,
        eventSource: true,
        stream: true,
      });
    });
  });

  test(`S21: TLS by ${way.name}: limits count the client's address`, { skip, timeout }, async (t) => {
    const { node, front } = await open(way, { allowAnonymous: true, connectionsPerAddressMax: 1 });
    t.after(async () => {
      await front.close();
      await node.close();
    });
    // By number, so that the address that is asked from is of its kind.
    const url = `${front.url.replace('localhost', '127.0.0.1')}/connection/uni_sse?channels=log:a`;
    const from = (localAddress: string, more: object = {}): RequestOptions => ({ localAddress, ...more });
    const holder = await ask(url, from('127.0.0.2'));
    assert.equal(holder.statusCode, 200);
    await eventually(async () => (await statusOf(url, from('127.0.0.2'))) === 503);
    assert.equal(await statusOf(url, from('127.0.0.3')), 200, 'another has its own place');
    const claimed = { 'X-Forwarded-For': '198.51.100.7' };
    if (way.service !== undefined)
      assert.equal(await statusOf(url, from('127.0.0.2', { headers: claimed })), 503, 'whatever it claims');
    holder.destroy();
  });
}

const upgrade = {
  ...{ Upgrade: 'websocket', Connection: 'Upgrade' },
  ...{ 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' },
};

/** The answer as soon as it begins. */
function ask(url: string, options: RequestOptions): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent: false, ...options }, resolve);
    asked.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response);
    });
    asked.on('error', reject);
    asked.end();
  });
}

async function statusOf(url: string, options: RequestOptions): Promise<number> {
  const response = await ask(url, options);
  response.on('error', () => undefined);
  response.destroy();
  return response.statusCode ?? 0;
}

/** Runs in the page. */
async function connectFromPage(token: string): Promise<Record<string, boolean>> {
  const command = JSON.stringify({ id: 1, connect: { token } });
  const webSocket = new Promise<boolean>((resolve) => {
    const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/connection/websocket`);
    socket.onopen = () => socket.send(command);
    socket.onmessage = ({ data }) => resolve(String(data).includes('"connect"'));
    socket.onclose = () => resolve(false);
  });
  const eventSource = new Promise<boolean>((resolve) => {
    const source = new EventSource(`/connection/sse?cf_connect=${encodeURIComponent(command)}`);
    source.onmessage = () => resolve(true);
    source.onerror = () => resolve(false);
  });
  const response = await fetch('/connection/http_stream', { method: 'POST', body: command });
  const first = await response.body?.getReader().read();
  const stream = new TextDecoder().decode(first?.value).includes('"connect"');
  return { webSocket: await webSocket, eventSource: await eventSource, stream };
}

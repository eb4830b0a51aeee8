import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import {
  connectClient,
  freePort,
  MemoryBusNetwork,
  rawExchange,
  SeededRandom,
  startNode,
  upgradeRequest,
  type StartedNode,
} from '@tutti/testkit';
import { WebSocket } from 'ws';
import { MemoryBroker } from './broker/memory.ts';
import { Fault } from './core/fault.ts';
import { MemoryRevocationList } from './revocation/memory.ts';
import { SystemClock } from './runtime/system-clock.ts';

const timeout = 30_000;

async function start(t: TestContext, options: Parameters<typeof startNode>[0] = {}): Promise<StartedNode> {
  const node = await startNode({ namespaces: { chat: { historySize: 100, durable: true }, live: {} }, ...options });
  t.after(() => node.close());
  return node;
}

async function statusOf(url: string): Promise<[number, unknown]> {
  const response = await fetch(url);
  return [response.status, await response.json()];
}

function shapeOf(body: unknown): { ready: boolean; draining: boolean; ok: string[] } {
  const { ready, draining, checks } = body as {
    ready: boolean;
    draining: boolean;
    checks: { name: string; ok: boolean }[];
  };
  return { ready, draining, ok: checks.filter(({ ok }) => ok).map(({ name }) => name) };
}

async function metric(url: string, name: string): Promise<number> {
  const page = await (await fetch(url)).text();
  const line = page.split('\n').find((each) => each.startsWith(`${name} `));
  assert.ok(line !== undefined, `${name} is not on the page`);
  return Number(line.slice(name.length + 1));
}

/** A socket that was opened, and how it ends. */
async function socket(
  node: StartedNode,
): Promise<{ ws: WebSocket; closed: Promise<{ code: number; reason: string; atMs: number }> }> {
  const ws = new WebSocket(node.wsUrl);
  const closed = new Promise<{ code: number; reason: string; atMs: number }>((resolve) => {
    ws.on('close', (code, reason) => resolve({ code, reason: reason.toString(), atMs: performance.now() }));
  });
  await new Promise((resolve, reject) => ws.once('open', resolve).once('error', reject));
  return { ws, closed };
}

test(
  'S5: a node that is insecure is not started for others to reach, whoever made its settings',
  { timeout },
  async () => {
    for (const host of ['0.0.0.0', '::', '192.168.1.4']) {
      const started = startNode({ settings: { insecure: true, host } });
      await assert.rejects(started, (error: unknown) => error instanceof Fault && /loopback/.test(error.message), host);
    }
  },
);

for (const what of ['port', 'broker'] as const) {
  test(`a node that cannot have its ${what} leaves nothing of itself running`, { timeout }, async (t) => {
    const taken = await start(t);
    const clock = new SystemClock();
    const random = new SeededRandom(1);
    const broker = new MemoryBroker({ clock, random, idempotencyWindowMs: 1_000, historyBytesMax: 1_000_000 });
    if (what === 'broker') broker.start = () => Promise.reject(new Fault('broker', 'as planned', { retryable: false }));
    const bus = new MemoryBusNetwork(clock, random).bus('a');
    const revocations = new MemoryRevocationList({ clock, revocationsMax: 10 });
    const closed: string[] = [];
    for (const [name, part] of Object.entries({ broker, bus, revocations })) {
      part.close = () => {
        closed.push(name);
        return Promise.resolve();
      };
    }
    const engine = { broker, bus, revocations, mayLoseLive: () => false };
    const namespaces = { live: {} };
    await assert.rejects(startNode({ engine, namespaces, settings: { port: taken.port } }), Fault);
    assert.deepEqual(closed, ['revocations', 'bus', 'broker']);
  });
}

test('health, readiness and metrics are there, and say what is', { timeout }, async (t) => {
  const node = await start(t);
  assert.deepEqual(await statusOf(`${node.url}/health`), [200, {}]);
  const [status, ready] = await statusOf(`${node.url}/ready`);
  assert.deepEqual([status, shapeOf(ready)], [200, { ready: true, draining: false, ok: ['memory', 'durable'] }]);
  assert.equal(node.server.metricsUrl, `${node.url}/metrics`);
  const { ws } = await socket(node);
  t.after(() => ws.terminate());
  const response = await fetch(node.server.metricsUrl);
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  const page = await response.text();
  for (const line of ['tutti_connections 1', 'tutti_connections_opened_total 1', 'tutti_ready 1', 'tutti_draining 0']) {
    assert.ok(page.split('\n').includes(line), line);
  }
  assert.equal(await metric(node.server.metricsUrl, 'tutti_in_flight_bytes_count'), 2, 'each scrape samples');
});

test('S28: metrics can have a port of their own, and then are nowhere else', { timeout }, async (t) => {
  const metricsPort = await freePort();
  const node = await start(t, { settings: { metricsPort } });
  assert.equal(node.server.metricsUrl, `http://127.0.0.1:${metricsPort}/metrics`);
  assert.equal((await fetch(`${node.url}/metrics`)).status, 404);
  assert.equal(await metric(node.server.metricsUrl, 'tutti_ready'), 1);
  assert.equal((await fetch(`http://127.0.0.1:${metricsPort}/ready`)).status, 200);
  assert.equal((await fetch(`http://127.0.0.1:${metricsPort}/connection/websocket`)).status, 404);
});

test('S28: where others reach the port, its metrics are for a key with the right to them', { timeout }, async (t) => {
  const keys = { metrics: 'a-key-that-may-read-metrics', publish: 'a-key-that-may-only-publish' };
  const apiKeys = Object.entries(keys).map(([name, key]) => ({ name, key, allow: [name] }));
  const { port } = await start(t, { settings: { host: '0.0.0.0', apiKeys } });
  const url = `http://127.0.0.1:${port}/metrics`;
  const status = async (headers: Record<string, string> = {}): Promise<number> =>
    (await fetch(url, { headers })).status;
  assert.equal(await status(), 401);
  assert.equal(await status({ 'X-API-Key': 'a-key-that-nobody-has-made' }), 401);
  assert.equal(await status({ 'X-API-Key': keys.publish }), 403);
  assert.equal(await status({ 'X-API-Key': keys.metrics }), 200);
  assert.equal(await status({ Authorization: `apikey ${keys.metrics}` }), 200, 'as Prometheus sends it');
  assert.equal((await fetch(`http://127.0.0.1:${port}/health`)).status, 200);
});

test('S27: the console can be on the port of the metrics, and then is nowhere else', { timeout }, async (t) => {
  const dashboard = mkdtempSync(join(tmpdir(), 'tutti-page-'));
  writeFileSync(join(dashboard, 'index.html'), '<p>the console</p>');
  t.after(() => rmSync(dashboard, { recursive: true }));
  const metricsPort = await freePort();
  const settings = { metricsPort, console: 'metricsPort' } as const;
  const node = await start(t, { settings, dashboard });
  const operators = `http://127.0.0.1:${metricsPort}`;
  assert.match(await (await fetch(`${operators}/console`)).text(), /the console/);
  assert.equal((await rawExchange(metricsPort, upgradeRequest())).status, 101);
  for (const path of ['/', '/console', '/chat', '/metrics']) {
    assert.equal((await fetch(`${node.url}${path}`)).status, 404, path);
  }
  const off = await start(t, { settings: { console: 'off' }, dashboard });
  assert.equal((await fetch(`${off.url}/console`)).status, 404);
});

test(
  'CON-2: beyond the connect rate 503 with Retry-After, counted; who is connected goes on',
  { timeout },
  async (t) => {
    const node = await start(t, { settings: { connectRateMax: 1, connectBurstMax: 3 } });
    const ann = await connectClient(node, { user: 'ann' });
    t.after(() => ann.close());
    const { subscription, events } = await ann.follow('live:x');
    const answers = await Promise.all(Array.from({ length: 20 }, () => rawExchange(node.port, upgradeRequest())));
    const refused = answers.filter(({ status }) => status === 503);
    assert.ok(refused.length >= 16, `${refused.length} of 20 were refused`);
    for (const { text, ended } of refused) {
      assert.match(text, /^Retry-After: ([1-9]|[12]\d|30)\r$/m);
      assert.ok(ended);
    }
    assert.equal(await metric(node.server.metricsUrl, 'tutti_handshakes_refused_total{reason="rate"}'), refused.length);
    await subscription.publish({ n: 1 });
    assert.deepEqual((await events.next('publication')).data, { n: 1 });
  },
);

test('CON-2: a malformed request takes no place in the rate from those who come after it', { timeout }, async (t) => {
  const node = await start(t, { settings: { connectRateMax: 1, connectBurstMax: 2 } });
  for (let i = 0; i < 10; i += 1) {
    const answer = await rawExchange(node.port, upgradeRequest({ headers: { 'Sec-WebSocket-Key': 'short' } }));
    assert.equal(answer.status, 400);
  }
  assert.equal((await rawExchange(node.port, upgradeRequest())).status, 101);
});

test('S21: behind a trusted proxy the limit of an address is the client\u2019s', { timeout }, async (t) => {
  const node = await start(t, { settings: { trustedProxies: ['127.0.0.0/8'], connectionsPerAddressMax: 1 } });
  const from = (address: string) =>
    new WebSocket(node.wsUrl, { headers: { 'X-Forwarded-For': address } }).on('error', () => undefined);
  const first = from('192.0.2.1');
  t.after(() => first.terminate());
  await new Promise((resolve) => first.once('open', resolve));
  const headers = (address: string) => ({ headers: { 'X-Forwarded-For': address } });
  assert.equal((await rawExchange(node.port, upgradeRequest(headers('192.0.2.1')))).status, 503);
  assert.equal((await rawExchange(node.port, upgradeRequest(headers('192.0.2.2')))).status, 101);
});

test('CON-3: a drain: not ready, nobody new, waves within the plan, hints, then the end', { timeout }, async (t) => {
  const node = await start(t, { settings: { connectionsPerAddressMax: 1_000 } });
  const sockets = await Promise.all(Array.from({ length: 250 }, () => socket(node)));
  t.after(() => {
    for (const { ws } of sockets) ws.terminate();
  });
  const progress: number[] = [];
  const report = node.server.drain(({ left }) => void progress.push(left));
  const [status, ready] = await statusOf(`${node.url}/ready`);
  assert.deepEqual([status, shapeOf(ready)], [503, { ready: false, draining: true, ok: ['memory', 'durable'] }]);
  assert.deepEqual(await statusOf(`${node.url}/health`), [200, {}]);
  const late = await rawExchange(node.port, upgradeRequest());
  assert.equal(late.status, 503);
  assert.match(late.text, /^Retry-After: \d+\r$/m);
  assert.equal(await metric(node.server.metricsUrl, 'tutti_draining'), 1);
  assert.equal(await metric(node.server.metricsUrl, 'tutti_drain_connections'), 250);
  const { connections, cut } = await report;
  assert.deepEqual({ connections, cut }, { connections: 250, cut: 0 });
  const ends = await Promise.all(sockets.map(({ closed }) => closed));
  for (const { code, reason } of ends) {
    assert.equal(code, 3001);
    assert.match(reason, /^shutdown; retry=\d{3,4}$/);
  }
  assert.ok(new Set(ends.map(({ reason }) => reason)).size > 150, 'hints differ');
  const inASecond = ends.map(({ atMs }) => ends.filter((end) => end.atMs >= atMs && end.atMs < atMs + 1_000).length);
  assert.ok(Math.max(...inASecond) <= 200, `${Math.max(...inASecond)} in a second, where 100 are planned`);
  assert.equal(progress.at(-1), 0);
  await assert.rejects(fetch(`${node.url}/health`), 'nothing listens any more');
  assert.equal(await node.server.drain(), await report, 'idempotent');
});

test('CON-3: our client comes back by the hint, to the node that takes its place', { timeout }, async (t) => {
  const port = await freePort();
  const first = await start(t, { settings: { port } });
  const ann = await connectClient(first, { user: 'ann' });
  t.after(() => ann.close());
  await first.server.drain();
  await start(t, { settings: { port } });
  await ann.events.count('connected', 2);
  const waiting = ann.events.all('state').find(({ to }) => to === 'waiting');
  const [, hintMs] = /retry=(\d+)$/.exec(waiting?.reason ?? '') ?? [];
  assert.ok((waiting?.retryMs ?? 0) >= Number(hintMs), `${waiting?.retryMs} of ${waiting?.reason}`);
});

test(
  'CON-3: a peer that reads nothing and follows no close does not keep the node from its end',
  { timeout },
  async (t) => {
    const node = await start(t);
    const { ws } = await socket(node);
    ws.pause();
    t.after(() => ws.terminate());
    await node.server.close();
    await assert.rejects(fetch(`${node.url}/health`));
  },
);

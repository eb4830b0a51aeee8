import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Tutti, type Subscription } from '@tutti/client';
import { requireService } from '@tutti/testkit/services';
import { chromium } from 'playwright-core';
import { WebSocket } from 'ws';

// examples/express as its README has it: a process of its own, seen from outside.

const timeout = 60_000;
const main = fileURLToPath(new URL('../../examples/express/server.ts', import.meta.url));
const service = await requireService('chromium');

let child: ChildProcess | undefined;
let base = '';
const printed: string[] = [];

before(async () => {
  child = spawn(process.execPath, [main], {
    env: { PATH: process.env['PATH'], PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 5 * 60_000,
  });
  const lines = createInterface({ input: child.stdout! });
  const listening = new Promise<string>((resolve, reject) => {
    lines.on('line', (line) => {
      printed.push(line);
      const [, url] = /the shop is at (\S+)/.exec(line) ?? [];
      if (url !== undefined) resolve(url);
    });
    child?.once('exit', (code) => reject(new Error(`the example ended with ${code}`)));
  });
  base = await listening;
});
after(() => child?.kill('SIGKILL'));

function post(path: string, body: object, headers: Record<string, string> = {}): Promise<Response> {
  const json = { 'Content-Type': 'application/json', ...headers };
  return fetch(`${base}${path}`, { method: 'POST', headers: json, body: JSON.stringify(body) });
}

async function login(name: string): Promise<string> {
  const response = await post('/login', { name });
  assert.equal(response.status, 200);
  return response.headers.getSetCookie()[0]?.split(';')[0] ?? '';
}

/** The SDK as a browser runs it: with the cookies of the page's origin. */
function connect(t: TestContext, cookie: string): Tutti {
  class WithCookie extends WebSocket {
    constructor(url: string, protocols?: string[]) {
      super(url, protocols, { headers: { cookie } });
    }
  }
  const tutti = new Tutti(`${base.replace('http', 'ws')}/tutti/connection/websocket`, { WebSocket: WithCookie });
  t.after(() => tutti.close());
  return tutti;
}

function subscribed(subscription: Subscription): Promise<unknown> {
  return new Promise((resolve, reject) => {
    subscription.on('subscribed', ({ data }) => resolve(data));
    subscription.on('unsubscribed', ({ code, reason }) => reject(new Error(`${code}: ${reason}`)));
  });
}

test('the routes of the application work as without Tutti', { timeout }, async () => {
  const page = await fetch(base);
  assert.equal(page.status, 200);
  assert.match(await page.text(), /<h1>Orders<\/h1>/);
  assert.equal((await post('/login', { name: '<b>' })).status, 400);
  const cookie = await login('ann');
  const orders = (await (await fetch(`${base}/orders`, { headers: { cookie } })).json()) as { id: string }[];
  assert.deepEqual(
    orders.map(({ id }) => id),
    ['1'],
  );
  assert.equal((await fetch(`${base}/nowhere`)).status, 404);
  assert.equal((await fetch(`${base}/tutti/health`)).status, 200);
});

test('who has logged in is known by the cookie; what a route publishes arrives', { timeout }, async (t) => {
  const ann = connect(t, await login('ann'));
  const subscription = ann.subscribe('orders:1');
  const heard: unknown[] = [];
  const twice = new Promise<void>((resolve) => {
    subscription.on('publication', ({ data }) => {
      heard.push((data as { status: string }).status);
      if (heard.length === 2) resolve();
    });
  });
  assert.deepEqual(await subscribed(subscription), { id: '1', owner: 'ann', status: 'placed' });
  for (const status of ['packed', 'sent']) assert.equal((await post('/orders/1/status', { status })).status, 200);
  await twice;
  assert.deepEqual(heard, ['packed', 'sent']);
});

test('the order of another is refused; who has not logged in is sent away for good', { timeout }, async (t) => {
  const bob = connect(t, await login('bob'));
  await assert.rejects(subscribed(bob.subscribe('orders:1')), /403: not your order/);
  const stranger = connect(t, 'sid=made-up');
  const ended = new Promise<[number, string]>((resolve) => {
    stranger.on('state', ({ to, code, reason }) => {
      if (to === 'disconnected') resolve([code, reason]);
    });
  });
  assert.deepEqual(await ended, [4_501, 'log in first']);
});

test('the publish hook changes comments and refuses empty ones', { timeout }, async (t) => {
  const ann = connect(t, await login('ann'));
  const comments = ann.subscribe('comments:all');
  const heard = new Promise((resolve) => comments.on('publication', ({ data }) => resolve(data)));
  await subscribed(comments);
  await assert.rejects(comments.publish({ text: ' ' }), { code: 422 });
  await comments.publish({ text: '  fast delivery ', from: 'somebody else' });
  assert.deepEqual(await heard, { from: 'ann', text: 'fast delivery' });
});

test(
  'the page shows what a route publishes',
  { timeout, skip: 'skip' in service ? service.skip : false },
  async (t) => {
    assert.ok('path' in service);
    const browser = await chromium.launch({
      executablePath: service.path,
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking'],
    });
    t.after(() => browser.close());
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(error.message));
    await page.goto(base.replace('127.0.0.1', 'localhost'));
    await page.getByLabel('Your name').fill('bob');
    await page.getByRole('button', { name: 'Log in' }).click();
    await page.getByText('connected', { exact: true }).waitFor();
    await page.getByText('Order 2 is placed').waitFor();
    await post('/orders/2/status', { status: 'packed' });
    await page.getByText('Order 2 is packed').waitFor();
    await page.getByLabel('Comment').fill('thanks <b>all</b>');
    await page.getByRole('button', { name: 'Send' }).click();
    await page.getByText('bob: thanks <b>all</b>').waitFor();
    assert.deepEqual(problems, []);
  },
);

test('it tells of who has gone, and ends by itself when it is asked to', { timeout }, async () => {
  assert.ok(child !== undefined);
  assert.ok(
    printed.some((line) => line.startsWith('ann is gone (')),
    printed.join('\n'),
  );
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null]);
});

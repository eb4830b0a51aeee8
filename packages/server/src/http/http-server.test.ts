import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { eventually, rawExchange, upgradeRequest, VirtualClock } from '@tutti/testkit';
import type { Clock } from '../core/clock.ts';
import { Fault } from '../core/fault.ts';
import { SystemClock } from '../runtime/system-clock.ts';
import { nullLog } from '../telemetry/null-telemetry.ts';
import { HttpServer, type HttpOptions } from './http-server.ts';

const timeout = 30_000;

async function start(
  context: TestContext,
  options: Partial<HttpOptions> = {},
  clock: Clock = new SystemClock(),
): Promise<HttpServer> {
  const server = new HttpServer({ host: '127.0.0.1', port: 0, ...options }, { clock, log: nullLog });
  await server.listen();
  context.after(() => server.close());
  return server;
}

async function builtPage(context: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tutti-http-'));
  context.after(() => rm(folder, { recursive: true }));
  const root = join(folder, 'dist');
  await mkdir(join(root, 'assets'), { recursive: true });
  await writeFile(join(root, 'index.html'), '<!doctype html><title>page</title>');
  await writeFile(join(root, 'assets', 'a-1234.js'), 'export {};');
  await writeFile(join(root, 'odd name.svg'), '<svg/>');
  await writeFile(join(folder, 'secret.txt'), 'SECRET');
  await symlink(join(folder, 'secret.txt'), join(root, 'link.txt'));
  return root;
}

function urlOf(server: HttpServer, path: string): string {
  return `http://127.0.0.1:${server.port}${path}`;
}

async function errorOf(response: Response): Promise<{ message: string; remedy: string }> {
  return ((await response.json()) as { error: { message: string; remedy: string } }).error;
}

test('S28: /health is 200 and says nothing else', { timeout }, async (context) => {
  const server = await start(context);
  const response = await fetch(urlOf(server, '/health?x=1'));
  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), {});
  const head = await fetch(urlOf(server, '/health'), { method: 'HEAD' });
  assert.equal(head.status, 200);
  assert.equal(await head.text(), '');
});

test('what does not exist is told, with what does; a wrong method is 405', { timeout }, async (context) => {
  const upgrades = new Map([['/connection/websocket', { handleUpgrade: () => undefined }]]);
  const routes = new Map([
    [
      '/api/echo',
      { methods: ['POST'], handle: (_: unknown, response: { end(text: string): void }) => response.end('ok') },
    ],
  ]);
  const server = await start(context, { upgrades, routes, staticRoot: await builtPage(context) });
  for (const path of ['/api/nothing', '/connection/sse', '/metrics', '/missing.js']) {
    const response = await fetch(urlOf(server, path));
    assert.equal(response.status, 404, path);
    const error = await errorOf(response);
    assert.ok(error.message.includes(path));
    assert.equal(error.remedy, 'There is: /, /health, /api/echo, /connection/websocket.');
  }
  const post = await fetch(urlOf(server, '/health'), { method: 'POST', body: 'x' });
  assert.deepEqual([post.status, post.headers.get('allow')], [405, 'GET, HEAD']);
  const get = await fetch(urlOf(server, '/api/echo'));
  assert.deepEqual([get.status, get.headers.get('allow')], [405, 'POST']);
  assert.equal(await (await fetch(urlOf(server, '/api/echo'), { method: 'POST', body: 'x' })).text(), 'ok');
  assert.equal((await fetch(urlOf(server, '/connection/websocket'))).status, 426);
});

test(
  'the page: types, caching, unchanged answers, views, and headers that forbid foreign scripts',
  { timeout },
  async (context) => {
    const server = await start(context, { staticRoot: await builtPage(context) });
    const index = await fetch(urlOf(server, '/'));
    assert.equal(index.status, 200);
    assert.equal(index.headers.get('content-type'), 'text/html; charset=utf-8');
    assert.equal(index.headers.get('cache-control'), 'no-cache');
    assert.equal(index.headers.get('x-content-type-options'), 'nosniff');
    const policy = index.headers.get('content-security-policy') ?? '';
    assert.match(
      policy,
      /default-src 'self'; connect-src 'self' ws: wss:; style-src 'self' 'unsafe-inline';.*frame-ancestors 'none'/,
    );
    assert.equal(/script-src|unsafe-eval/.test(policy), false);
    const etag = index.headers.get('etag') ?? '';
    assert.match(etag, /^"[\w-]{27}"$/);
    const again = await fetch(urlOf(server, '/'), { headers: { 'If-None-Match': `"other", ${etag}` } });
    assert.deepEqual([again.status, await again.text()], [304, '']);
    const asset = await fetch(urlOf(server, '/assets/a-1234.js'));
    assert.equal(asset.headers.get('content-type'), 'text/javascript; charset=utf-8');
    assert.equal(asset.headers.get('cache-control'), 'public, max-age=31536000, immutable');
    assert.equal(await (await fetch(urlOf(server, '/odd%20name.svg'))).text(), '<svg/>');
    for (const view of ['/console', '/console/channels', '/chat/room']) {
      assert.match(await (await fetch(urlOf(server, view))).text(), /<title>page/);
    }
  },
);

test('no path reaches a file outside the built page', { timeout }, async (context) => {
  const server = await start(context, { staticRoot: await builtPage(context) });
  const paths = [
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/%2e%2e%2fsecret.txt',
    '/..%5csecret.txt',
    '/..\\secret.txt',
    '//secret.txt',
    '/link.txt',
    '/%00/secret.txt',
    '/assets/a-1234.js%00.txt',
    '/%252e%252e/secret.txt',
    '/%',
    '/%ff',
    'http://elsewhere/secret.txt',
    '*',
  ];
  for (const path of paths) {
    const answer = await rawExchange(server.port, `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    assert.ok(answer.status === 404 || answer.status === 400, `${path}: ${answer.text}`);
    assert.equal(answer.text.includes('SECRET'), false, path);
  }
});

test('a page that is not built says how to build it, and a new build is noticed', { timeout }, async (context) => {
  const root = await builtPage(context);
  const clock = new VirtualClock();
  const unbuilt = await start(context, { staticRoot: join(root, 'nothing') });
  const response = await fetch(urlOf(unbuilt, '/'));
  assert.equal(response.status, 503);
  assert.match(await response.text(), /npm run build:dashboard/);
  assert.equal((await fetch(urlOf(unbuilt, '/health'))).status, 200);
  const server = await start(context, { staticRoot: root }, clock);
  assert.match(await (await fetch(urlOf(server, '/'))).text(), /page/);
  await writeFile(join(root, 'index.html'), 'second build');
  await utimes(join(root, 'index.html'), 1, 1);
  clock.advance(1_000);
  assert.equal(await (await fetch(urlOf(server, '/'))).text(), 'second build');
});

test(
  'S23: a route that throws or rejects is answered with 500, and the server goes on',
  { timeout },
  async (context) => {
    const routes = new Map<string, { methods: string[]; handle: () => Promise<void> }>([
      [
        '/throws',
        {
          methods: ['GET'],
          handle: () => {
            throw new Error('secret detail');
          },
        },
      ],
      ['/rejects', { methods: ['GET'], handle: () => Promise.reject(new Error('secret detail')) }],
    ]);
    const server = await start(context, { routes });
    for (const path of ['/throws', '/rejects']) {
      const response = await fetch(urlOf(server, path));
      assert.equal(response.status, 500);
      assert.equal((await response.text()).includes('secret detail'), false);
    }
    assert.equal((await fetch(urlOf(server, '/health'))).status, 200);
  },
);

test('S2, S23: an upgrade route that throws costs one socket', { timeout }, async (context) => {
  const upgrades = new Map([
    [
      '/x',
      {
        handleUpgrade: (): undefined => {
          throw new Error('bug');
        },
      },
    ],
  ]);
  const server = await start(context, { upgrades });
  const answer = await rawExchange(server.port, upgradeRequest({ path: '/x' }));
  assert.deepEqual([answer.status, answer.ended], [500, true]);
  assert.equal((await fetch(urlOf(server, '/health'))).status, 200);
});

test('S3: silent, slow and endless requests are ended', { timeout }, async (context) => {
  const server = await start(context, { headersTimeoutMs: 150, requestTimeoutMs: 300, checkIntervalMs: 30 });
  const beginnings = [
    '',
    'GET / HT',
    'GET / HTTP/1.1\r\nHost: a\r\nX-Slow: 1\r\n',
    'POST /health HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx',
  ];
  for (const beginning of beginnings) {
    const answer = await rawExchange(server.port, beginning);
    assert.equal(answer.ended, true);
    assert.ok([0, 405, 408].includes(answer.status), answer.text);
  }
  // One byte now and then does not buy more time.
  const slow = connect(server.port, '127.0.0.1');
  const closed = new Promise((resolve) => slow.on('error', () => {}).on('close', resolve));
  slow.write('GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ');
  const drip = setInterval(() => slow.write('x'), 20).unref();
  await closed;
  clearInterval(drip);
  const large = await rawExchange(server.port, `GET / HTTP/1.1\r\nHost: a\r\nX-Large: ${'x'.repeat(9_000)}\r\n\r\n`);
  assert.deepEqual([large.status, large.ended], [431, true]);
});

test('S2: bytes that are no HTTP get 400 or the end, and the server goes on', { timeout }, async (context) => {
  const server = await start(context);
  const hostile = [
    '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001',
    'GET\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: a\r\nHost : b\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n',
  ];
  for (const request of hostile) {
    const answer = await rawExchange(server.port, request);
    assert.equal(answer.ended, true, request);
    assert.ok(answer.status === 400 || answer.status === 0, `${request}: ${answer.text}`);
  }
  assert.equal((await fetch(urlOf(server, '/health'))).status, 200);
});

test('S4: a request with a body nobody reads ends its connection', { timeout }, async (context) => {
  const server = await start(context);
  const smuggled = 'GET /health HTTP/1.1\r\nHost: a\r\n\r\n';
  const request = `GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`;
  const answer = await rawExchange(server.port, request);
  assert.equal(answer.ended, true);
  assert.equal(answer.text.match(/HTTP\/1\.1 200/g)?.length, 1);
});

test(
  'an offer of HTTP/2 with a body, as Java makes it, is ignored; on the path of WebSocket it is refused',
  { timeout },
  async (context) => {
    const handle = async (request: AsyncIterable<Buffer>, response: { end(text: string): void }): Promise<void> => {
      let body = '';
      for await (const chunk of request) body += chunk.toString();
      response.end(`got ${body}`);
    };
    const upgrades = new Map([['/socket', { handleUpgrade: () => ({ status: 400, message: 'no WebSocket' }) }]]);
    const server = await start(context, {
      upgrades,
      routes: new Map([['/api', { methods: ['POST'], readsBody: true, handle }]]),
    });
    const offer =
      'Host: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n';
    const socket = connect(server.port, '127.0.0.1');
    const answered = async (request: string): Promise<string> => {
      socket.write(request);
      const [bytes] = (await once(socket, 'data')) as [Buffer];
      return bytes.toString();
    };
    assert.match(await answered(`POST /api HTTP/1.1\r\n${offer}Content-Length: 5\r\n\r\nhello`), /got hello$/);
    const next = await answered('POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nnext');
    assert.match(next, /got next$/, 'the connection goes on');
    socket.destroy();
    assert.equal((await rawExchange(server.port, `GET /socket HTTP/1.1\r\n${offer}\r\n`)).status, 400);
  },
);

test('an address that cannot be had is a Fault that says what to change', { timeout }, async (context) => {
  const server = await start(context);
  const second = new HttpServer({ host: '127.0.0.1', port: server.port }, { clock: new SystemClock(), log: nullLog });
  await assert.rejects(second.listen(), (error: unknown) => {
    assert.ok(error instanceof Fault);
    assert.match(error.message, new RegExp(`port ${server.port} on 127.0.0.1 is already in use.*--port or TUTTI_PORT`));
    assert.equal((error.cause as NodeJS.ErrnoException).code, 'EADDRINUSE');
    return true;
  });
  await second.close();
  const elsewhere = new HttpServer({ host: '192.0.2.1', port: 0 }, { clock: new SystemClock(), log: nullLog });
  await assert.rejects(elsewhere.listen(), /no address of this machine.*--host/);
});

test('close lets a request under way finish, and takes no new one', { timeout }, async (context) => {
  let release = (): void => {};
  const released = new Promise<void>((resolve) => (release = resolve));
  let begun = false;
  const handle = async (_: unknown, response: { end(text: string): void }): Promise<void> => {
    begun = true;
    await released;
    response.end('done');
  };
  const server = await start(context, { routes: new Map([['/slow', { methods: ['GET'], handle }]]) });
  const url = urlOf(server, '/slow');
  const answer = fetch(url);
  await eventually(() => begun);
  const closing = server.close();
  await assert.rejects(fetch(url));
  release();
  assert.equal(await (await answer).text(), 'done');
  await closing;
});

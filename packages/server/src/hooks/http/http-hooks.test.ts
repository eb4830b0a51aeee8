import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { verifySignature } from '@tutti/api';
import { Rejection, rejections } from '@tutti/protocol';
import { eventually, hooksConformance, type HookScript, type SeenAsk } from '@tutti/testkit';
import { SystemClock } from '../../runtime/system-clock.ts';
import { SystemRandom } from '../../runtime/system-random.ts';
import { Counters } from '../../telemetry/counters.ts';
import { guardedHooks } from '../guarded-hooks.ts';
import { hookNames, type HookAsk, type HookName, type Hooks, type PublishAsk } from '../hooks.ts';
import { HttpHooks, triesMax } from './http-hooks.ts';

const timeout = 30_000;
const secret = 'a secret of at least 32 bytes, for tests';

interface Backend {
  readonly url: string;
  close(): Promise<void>;
}

type Handle = (hook: HookName, body: Buffer, request: IncomingMessage, response: ServerResponse) => void;

async function startBackend(handle: Handle): Promise<Backend> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      handle((request.url ?? '').slice(1) as HookName, Buffer.concat(chunks), request, response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function hooksAt(url: string, options: { timeoutMs?: number; totalMs?: number; callsMax?: number } = {}) {
  const { timeoutMs = 500, totalMs = 5_000, callsMax = 100 } = options;
  const seams = { clock: new SystemClock(), random: new SystemRandom() };
  const telemetry = new Counters();
  const urls = new Map(hookNames.map((name) => [name, `${url}/${name}`]));
  const http = new HttpHooks({ urls, secret, timeoutMs, callsMax, hasTenants: false, version: 'test' }, seams);
  const guard = { connectFor: 'no_token', timeoutMs: totalMs, callsMax } as const;
  return { hooks: guardedHooks(http.calls, guard, { ...seams, telemetry }), http, telemetry };
}

/** As backends write it: other names, and seconds. */
function written(script: Exclude<HookScript, string>): string {
  if (!('grant' in script)) return JSON.stringify(script);
  const { expiresAt, capabilities: caps, ...rest } = script.grant;
  const expireAt = typeof expiresAt === 'number' ? expiresAt / 1_000 : expiresAt;
  return JSON.stringify({ result: { ...rest, expire_at: expireAt, caps } });
}

hooksConformance('http', async ({ script, callsMax }) => {
  const seen: SeenAsk[] = [];
  const backend = await startBackend((hook, body, request, response) => {
    const { client, user = '', channel, data, meta, lag_bytes } = JSON.parse(body.toString());
    const kept = request.headers['x-kept'];
    seen.push({ hook, client, user, channel, data, meta, lagBytes: lag_bytes, kept });
    const how = script(hook);
    if (how === 'hangs') return;
    if (how === 'fails') response.writeHead(500).end('oh no');
    else if (how === 'garbage') response.end('<html>');
    else response.end(written(how));
  });
  const { hooks, http } = hooksAt(backend.url, { timeoutMs: 100, callsMax });
  return {
    hooks,
    seen,
    dispose: async () => {
      http.close();
      await backend.close();
    },
  };
});

const asker: HookAsk = {
  ...{
    client: 'c1',
    user: 'ann',
    transport: 'websocket',
    codec: 'json',
    remoteAddress: '::1',
    headers: {},
    lagBytes: 0,
  },
};
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const publishAsk: PublishAsk = { ...asker, channel: 'chat:a', data: bytes('1'), payload: 'json' };

async function scene(t: TestContext, handle: Handle, options: Parameters<typeof hooksAt>[1] = {}) {
  const backend = await startBackend(handle);
  const made = hooksAt(backend.url, options);
  t.after(async () => {
    made.http.close();
    await backend.close();
  });
  return { ...made, url: backend.url };
}

const granted = '{"result":{}}';
const isUnavailable = (error: unknown): boolean =>
  error instanceof Rejection && error.kind === rejections.hookUnavailable;

test('requests are signed, and another secret, body or time is found out', { timeout }, async (t) => {
  const seen: { body: string; header: string }[] = [];
  const { hooks } = await scene(t, (_, body, { headers }, response) => {
    seen.push({ body: body.toString(), header: String(headers['tutti-signature']) });
    response.end(granted);
  });
  await hooks.refresh!(asker);
  const { body, header } = seen[0]!;
  assert.equal(await verifySignature({ secret, header, body }), true);
  assert.equal(await verifySignature({ secret: 'another', header, body }), false);
  assert.equal(await verifySignature({ secret, header, body: `${body} ` }), false);
});

test('payloads pass as they are: digits are kept, bytes that are no JSON come in base64', { timeout }, async (t) => {
  const seen: string[] = [];
  const { hooks } = await scene(t, (_, body, __, response) => {
    seen.push(body.toString());
    response.end('{"result":{"b64data":"/wA="}}');
  });
  const raw = new Uint8Array([0xff, 0x00]);
  await assert.rejects(hooks.publish!({ ...publishAsk, data: bytes('12345678901234567890.10') }), isUnavailable);
  assert.match(seen[0]!, /"data":12345678901234567890\.10[,}]/);
  const binary = await hooks.publish!({ ...publishAsk, codec: 'protobuf', payload: 'binary', data: raw });
  assert.deepEqual(Buffer.from(binary.data!), Buffer.from(raw));
  assert.match(seen[1]!, /"encoding":"binary".*"b64data":"\/wA="/);
});

test('what may be repeated is repeated; what may have been acted on is not', { timeout }, async (t) => {
  let requests = 0;
  const { hooks } = await scene(t, (_, __, request, response) => {
    requests += 1;
    if (requests % triesMax === 0) response.end(granted);
    else if (requests % 2 === 0) request.socket.destroy();
    else response.writeHead(503).end();
  });
  await hooks.refresh!(asker);
  assert.equal(requests, 3);
  requests = 0;
  await assert.rejects(hooks.publish!(publishAsk), isUnavailable);
  assert.equal(requests, 1, 'after an answer of status 503');
  await assert.rejects(hooks.publish!(publishAsk), isUnavailable);
  assert.equal(requests, 2, 'after a connection that broke');
});

test('a request that was never sent is repeated, whatever it asks', { timeout }, async (t) => {
  const placeholder = createTcpServer().listen(0, '127.0.0.1');
  await once(placeholder, 'listening');
  const { port } = placeholder.address() as AddressInfo;
  placeholder.close();
  await once(placeholder, 'close');
  const { hooks, http, telemetry } = hooksAt(`http://127.0.0.1:${port}`);
  t.after(() => http.close());
  await assert.rejects(hooks.publish!(publishAsk), isUnavailable);
  await assert.rejects(hooks.publish!(publishAsk), isUnavailable);
  // Three tries, then two, which are five in a row.
  assert.equal(http.openBreakers, 1);
  await assert.rejects(hooks.publish!(publishAsk), isUnavailable);
  assert.deepEqual([...telemetry.labelled('hook_calls_skipped')].length, 1);
});

test('the breaker spares a backend that is down, and finds out when it is back', { timeout }, async (t) => {
  let requests = 0;
  let isDown = true;
  const { hooks, http, telemetry } = await scene(t, (_, __, ___, response) => {
    requests += 1;
    if (isDown) response.writeHead(500).end();
    else response.end(granted);
  });
  for (let i = 0; i < 50; i += 1) await assert.rejects(hooks.publish!(publishAsk), isUnavailable);
  assert.equal(requests, 5);
  assert.deepEqual([http.openBreakers, telemetry.labelled('hook_calls_skipped').get('publish')], [1, 45]);
  assert.deepEqual(await hooks.refresh!(asker).catch(() => 'asked'), 'asked', 'another hook has its own breaker');
  isDown = false;
  await eventually(async () => hooks.publish!(publishAsk), { what: 'a call that goes through again' });
  assert.equal(http.openBreakers, 0);
});

test('S21: a client whose requests the backend finds fault with cuts off nobody else', { timeout }, async (t) => {
  const { hooks, http } = await scene(t, (_, body, __, response) => {
    if (body.includes('"bad"')) response.writeHead(400).end();
    else response.end(granted);
  });
  const bad = { ...publishAsk, data: bytes('"bad"') };
  for (let i = 0; i < 30; i += 1) await assert.rejects(hooks.publish!(bad), isUnavailable);
  assert.equal(http.openBreakers, 0);
  await hooks.publish!(publishAsk);
});

test('a backend that says that it has too much to do is spared', { timeout }, async (t) => {
  const { hooks, http } = await scene(t, (_, __, ___, response) => void response.writeHead(429).end());
  for (let i = 0; i < 5; i += 1) await assert.rejects(hooks.publish!(publishAsk), isUnavailable);
  assert.equal(http.openBreakers, 1);
});

const broken: readonly [what: string, handle: Handle][] = [
  ['a redirect', (_, __, ___, response) => response.writeHead(302, { location: '/elsewhere' }).end()],
  [
    'an answer that is too large',
    (_, __, ___, response) => response.end(`{"result":{"data":"${'x'.repeat(70_000)}"}}`),
  ],
  ['an answer without end', (_, __, ___, response) => void response.write('{"result":')],
  ['an empty answer', (_, __, ___, response) => response.end()],
  ['an answer that says nothing', (_, __, ___, response) => response.end('{}')],
  [
    'an answer nested too deep',
    (_, __, ___, response) => response.end(`{"result":{"data":${'['.repeat(9_000)}${']'.repeat(9_000)}}}`),
  ],
  ['a member that is not supported', (_, __, ___, response) => response.end('{"result":{"skip_history":true}}')],
  ['status 404', (_, __, ___, response) => response.writeHead(404).end(granted)],
  ['a broken status line', (_, __, { socket }) => void socket.end('HTTP/1.1 maybe\r\n\r\n')],
];
for (const [what, handle] of broken) {
  test(`${what} grants nothing, and is asked for once`, { timeout }, async (t) => {
    let requests = 0;
    const { hooks } = await scene(
      t,
      (...given) => {
        requests += 1;
        handle(...given);
      },
      { timeoutMs: 200 },
    );
    await assert.rejects(hooks.rpc!({ ...asker, method: 'x', data: bytes('1') }), isUnavailable);
    assert.equal(requests, 1);
  });
}

test('connections are kept, and a certificate that nobody vouches for is refused', { timeout }, async (t) => {
  const sockets = new Set<unknown>();
  const { hooks, url } = await scene(t, (_, __, { socket }, response) => {
    sockets.add(socket);
    response.end(granted);
  });
  for (let i = 0; i < 10; i += 1) await hooks.refresh!(asker);
  assert.equal(sockets.size, 1);
  const secure = hooksAt(url.replace('http:', 'https:'));
  t.after(() => secure.http.close());
  await assert.rejects(secure.hooks.refresh!(asker), isUnavailable, 'no TLS there at all');
});

test('all tries together have their time, too', { timeout }, async (t) => {
  let requests = 0;
  const { hooks, telemetry } = await scene(
    t,
    (_, __, ___, response) => {
      requests += 1;
      setTimeout(() => response.writeHead(500).end(), 80);
    },
    { totalMs: 100 },
  );
  await assert.rejects(hooks.refresh!(asker), isUnavailable);
  assert.equal(telemetry.labelled('hook_calls_timeout').get('refresh'), 1);
  assert.ok(requests <= 2);
});

test('S29: the log of a failure holds neither payload nor secret', { timeout }, async (t) => {
  const lines: unknown[] = [];
  const log = { debug() {}, info() {}, warn() {}, error: (...line: unknown[]) => void lines.push(line) };
  const backend = await startBackend((_, __, ___, response) => response.end('{"planted-answer":'));
  const seams = { clock: new SystemClock(), random: new SystemRandom() };
  const urls = new Map<HookName, string>([['rpc', `${backend.url}/rpc`]]);
  const http = new HttpHooks({ urls, secret, timeoutMs: 500, callsMax: 5, hasTenants: false, version: '' }, seams);
  t.after(async () => {
    http.close();
    await backend.close();
  });
  const guard = { connectFor: 'no_token', timeoutMs: 500, callsMax: 5 } as const;
  const hooks: Hooks = guardedHooks(http.calls, guard, { ...seams, telemetry: new Counters(log) });
  const ask = { ...asker, headers: { cookie: 'planted-cookie' }, method: 'x', data: bytes('"planted-data"') };
  await assert.rejects(hooks.rpc!(ask), isUnavailable);
  const text = lines
    .map((line) =>
      JSON.stringify(line, Object.getOwnPropertyNames(Error.prototype).concat('message', 'stack', 'cause', 'error')),
    )
    .join('');
  assert.equal(lines.length, 1);
  assert.doesNotMatch(text, /planted|a secret of/);
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { SystemClock } from '../runtime/system-clock.ts';
import { WebhookClient, type Outcome, type Resolve } from './webhook-client.ts';

const body = Buffer.from('{}');
const local = ['127.0.0.0/8'];

interface Server {
  readonly port: number;
  /** Paths asked for. */
  readonly asked: string[];
  /** Connections taken. */
  readonly connections: Socket[];
}

async function serve(t: TestContext, listener?: RequestListener): Promise<Server> {
  const asked: string[] = [];
  const connections: Socket[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    request.resume();
    if (listener === undefined) response.writeHead(204).end();
    else listener(request, response);
  });
  server.on('connection', (socket) => connections.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, asked, connections };
}

interface PostOptions {
  readonly networks?: readonly string[];
  readonly resolve?: Resolve;
  readonly timeoutMs?: number;
}

function clientOf(
  t: TestContext,
  url: string,
  { networks = [], resolve, timeoutMs = 10_000 }: PostOptions,
): WebhookClient {
  const options = { webhookNetworks: networks, webhookTimeoutMs: timeoutMs };
  const client = new WebhookClient(url, options, new SystemClock(), resolve);
  t.after(() => {
    client.close();
  });
  return client;
}

async function post(t: TestContext, url: string, options: PostOptions = {}): Promise<Outcome> {
  return clientOf(t, url, options).post(body, {});
}

function reasonOf(outcome: Outcome): string {
  return outcome.isDelivered ? 'delivered' : outcome.reason;
}

const spellings = ['127.0.0.1', '0x7f.1', '2130706433', '127.1', '[::ffff:127.0.0.1]', '[::1]', '0', '①②⑦.0.0.1'];

for (const host of spellings) {
  test(`S26: a webhook to a loopback address, written ${host}, is refused without a connection`, async (t) => {
    const server = await serve(t);
    for (const protocol of ['http', 'https']) {
      const outcome = await post(t, `${protocol}://${host}:${server.port}/`);
      assert.equal(reasonOf(outcome), 'address', protocol);
    }
    assert.equal(server.connections.length, 0);
  });
}

test('S26: a name that leads to a loopback, private or metadata address is refused', async (t) => {
  const server = await serve(t);
  for (const address of ['127.0.0.1', '10.0.0.7', '169.254.169.254', '::1', '::ffff:127.0.0.1']) {
    const resolve: Resolve = async () => [{ address, family: address.includes(':') ? 6 : 4 }];
    const outcome = await post(t, `https://innocent.example:${server.port}/`, { resolve });
    assert.equal(reasonOf(outcome), 'address', address);
  }
  // Among public ones, too: an attacker need only be chosen once.
  const mixed: Resolve = async () => [
    { address: '1.1.1.1', family: 4 },
    { address: '127.0.0.1', family: 4 },
  ];
  assert.equal(reasonOf(await post(t, `https://innocent.example:${server.port}/`, { resolve: mixed })), 'address');
  assert.equal(server.connections.length, 0);
});

test('S26: a name server that answers differently the second time changes nothing (DNS rebinding)', async (t) => {
  const server = await serve(t, (_, response) => response.writeHead(204, { connection: 'close' }).end());
  const answers = ['127.0.0.1', '127.0.0.2'];
  let asked = 0;
  const resolve: Resolve = async () => [{ address: answers[asked++] ?? '127.0.0.2', family: 4 }];
  const client = clientOf(t, `http://rebinding.example:${server.port}/`, { networks: ['127.0.0.1'], resolve });
  assert.equal(reasonOf(await client.post(body, {})), 'delivered');
  // What was checked is what was connected to: nobody asked a second time in between.
  assert.deepEqual([asked, server.connections[0]?.localAddress ?? '127.0.0.1'], [1, '127.0.0.1']);
  assert.equal(reasonOf(await client.post(body, {})), 'address', 'the next connection is checked anew');
  assert.deepEqual([asked, server.connections.length], [2, 1]);
});

test('S26: a redirect is not followed, wherever it leads', async (t) => {
  const inner = await serve(t);
  for (const location of ['http://169.254.169.254/latest/meta-data/', `http://127.0.0.1:${inner.port}/`]) {
    const server = await serve(t, (_, response) => response.writeHead(302, { location }).end());
    const outcome = await post(t, `http://127.0.0.1:${server.port}/hook`, { networks: local });
    assert.equal(reasonOf(outcome), 'redirect');
    assert.deepEqual(server.asked, ['/hook']);
  }
  assert.equal(inner.connections.length, 0);
});

test('S26: a receiver that does not answer in time has failed', async (t) => {
  const sockets: Socket[] = [];
  const silent = createTcpServer((socket) => sockets.push(socket.resume()));
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    silent.close();
  });
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`;
  assert.equal(reasonOf(await post(t, url, { networks: local, timeoutMs: 100 })), 'timeout');
});

test('S26: an answer without an end is cut, and its status counts', async (t) => {
  let cut: Promise<unknown> | undefined;
  let written = 0;
  const server = await serve(t, (_, response) => {
    cut = once(response, 'close');
    const chunk = Buffer.alloc(16 * 1024);
    const more = (): void => {
      if (response.destroyed) return;
      written += chunk.length;
      response.write(chunk, () => setImmediate(more));
    };
    more();
  });
  assert.equal(reasonOf(await post(t, `http://127.0.0.1:${server.port}/`, { networks: local })), 'delivered');
  await cut;
  assert.ok(written < 16 * 1024 * 1024, `${written} bytes were read`);
});

test('a status outside 200 to 299 has failed; 400, 413 and 422 for good; Retry-After is told, within a bound', async (t) => {
  const server = await serve(t, ({ url = '' }, response) => {
    response.writeHead(Number(url.slice(1)), { 'retry-after': '86400' }).end();
  });
  const of = async (status: number): Promise<Outcome> =>
    post(t, `http://127.0.0.1:${server.port}/${status}`, { networks: local });
  for (const status of [200, 202, 204]) assert.deepEqual(await of(status), { isDelivered: true });
  for (const status of [400, 413, 422]) assert.equal(((await of(status)) as { isFinal: boolean }).isFinal, true);
  for (const status of [401, 404, 410, 429, 500, 503]) {
    const outcome = await of(status);
    assert.deepEqual(outcome, {
      ...{ isDelivered: false, reason: 'status', detail: `status ${status}`, isFinal: false },
      retryAfterMs: 300_000,
    });
  }
});

test('a receiver that is not there has failed, and so has a name without an address', async (t) => {
  const gone = await serve(t);
  const [url] = [`http://127.0.0.1:1/`];
  assert.equal(reasonOf(await post(t, url, { networks: local })), 'network');
  const nothing: Resolve = async () => [];
  assert.equal(reasonOf(await post(t, 'https://nobody.example/', { resolve: nothing })), 'network');
  const broken: Resolve = () => Promise.reject(new Error('SERVFAIL'));
  assert.equal(reasonOf(await post(t, 'https://nobody.example/', { resolve: broken })), 'network');
  assert.equal(gone.connections.length, 0);
});

test('requests to one receiver share a connection', async (t) => {
  const server = await serve(t);
  const client = clientOf(t, `http://127.0.0.1:${server.port}/`, { networks: local });
  for (let i = 0; i < 5; i += 1) assert.equal(reasonOf(await client.post(body, {})), 'delivered');
  assert.equal(server.connections.length, 1);
});

test('a client that is closed fails what is under way', async (t) => {
  let isAsked: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => {
    isAsked = resolve;
  });
  const server = await serve(t, () => isAsked());
  const client = clientOf(t, `http://127.0.0.1:${server.port}/`, { networks: local });
  const outcome = client.post(body, {});
  await asked;
  client.close();
  assert.equal(reasonOf(await outcome), 'network');
  assert.equal(reasonOf(await client.post(body, {})), 'network');
});

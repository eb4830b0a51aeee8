import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { Tutti } from '@tutti/client';
import { WebSocket, WebSocketServer } from 'ws';
import { createServer, Fault, type ServerOptions, type TuttiServer } from '../index.ts';
import { nullLog } from '../internal.ts';

const timeout = 30_000;
const config = { namespaces: { chat: { historySize: 10, allowSubscribe: 'user' } } } as const;
const hooks: NonNullable<ServerOptions['hooks']> = {
  connect: ({ data }) => ({ user: (data as { user: string }).user }),
};

interface Host {
  readonly server: Server;
  readonly tutti: TuttiServer;
  readonly base: string;
}

/** An application with a page for every path, and a node attached to it. */
async function start(
  t: TestContext,
  options: Partial<ServerOptions> = {},
  prepare?: (server: Server) => void,
): Promise<Host> {
  const server = createHttpServer((incoming, response) => response.end(`the application at ${incoming.url ?? ''}`));
  prepare?.(server);
  const tutti = await createServer({ server, config, hooks, log: nullLog, ...options });
  assert.equal(tutti.url, '', 'nobody listens yet');
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => {
    await tutti.close();
    server.closeAllConnections();
    server.close();
  });
  return { server, tutti, base: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function textAt(url: string): Promise<[number, string]> {
  const response = await fetch(url);
  return [response.status, await response.text()];
}

async function connect(t: TestContext, url: string): Promise<Tutti> {
  const tutti = new Tutti(`${url.replace('http', 'ws')}/connection/websocket`, { data: { user: 'ann' } });
  t.after(() => tutti.close());
  await tutti.ready();
  return tutti;
}

test(
  'a node has its paths on the server of an application, and everything else is left to it',
  { timeout },
  async (t) => {
    const { tutti, base } = await start(t);
    assert.deepEqual([tutti.url, tutti.metricsUrl], [`${base}/tutti`, '']);
    for (const path of ['/', '/health', '/api/publish', '/connection/websocket', '/tuttifrutti', '/%zz']) {
      assert.deepEqual(await textAt(`${base}${path}`), [200, `the application at ${path}`]);
    }
    assert.deepEqual(await textAt(`${base}/tutti/health`), [200, '{}\n']);
    assert.equal((await fetch(`${base}/tutti/ready`)).status, 200);
    const [status, text] = await textAt(`${base}/tutti/metrics`);
    assert.equal(status, 404);
    assert.match(text, /\/tutti\/connection\/websocket/, 'the paths that there are');
    assert.equal((await fetch(`${base}/tutti/api/publish`, { method: 'POST' })).status, 403);
  },
);

test('clients connect, and what the application publishes arrives', { timeout }, async (t) => {
  const { tutti } = await start(t);
  const client = await connect(t, tutti.url);
  const subscription = client.subscribe('chat:a');
  const heard = new Promise((resolve) => subscription.on('publication', ({ data }) => resolve(data)));
  await new Promise((resolve) => subscription.on('subscribed', resolve));
  await tutti.publish('chat:a', { text: 'hi' });
  assert.deepEqual(await heard, { text: 'hi' });
});

test('WebSockets of the application stay its own, added before or after', { timeout }, async (t) => {
  let before: WebSocketServer | undefined;
  const { server, tutti, base } = await start(t, {}, (host) => {
    // Ends upgrades for every other path.
    before = new WebSocketServer({ server: host, path: '/before' });
  });
  const greet = (socket: WebSocket): void => socket.send('hello from the application');
  before?.on('connection', greet);
  const hear = async (path: string): Promise<string> => {
    const socket = new WebSocket(`${base.replace('http', 'ws')}${path}`);
    t.after(() => socket.terminate());
    const [message] = (await once(socket, 'message')) as [Buffer];
    return message.toString();
  };
  assert.equal(await hear('/before'), 'hello from the application');
  await connect(t, tutti.url);
  before?.close();
  const after = new WebSocketServer({ noServer: true });
  server.on('upgrade', (incoming, socket, head) => after.handleUpgrade(incoming, socket, head, greet));
  assert.equal(await hear('/after'), 'hello from the application');
  await connect(t, tutti.url);
});

test('a request that only offers an upgrade stays a request of the application', { timeout }, async (t) => {
  const { base } = await start(t);
  const asked = request(base, { headers: { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c' } }).end();
  const [response] = (await once(asked, 'response')) as [{ statusCode: number; resume(): void }];
  response.resume();
  assert.equal(response.statusCode, 200);
});

test(
  'CON-3: closing ends the clients with the advice to come back, and leaves the server alone',
  { timeout },
  async (t) => {
    const { server, tutti, base } = await start(t);
    const socket = new WebSocket(`${tutti.url.replace('http', 'ws')}/connection/websocket`);
    await once(socket, 'open');
    const closed = once(socket, 'close') as Promise<[number]>;
    const emits = Object.hasOwn(server, 'emit');
    await tutti.close();
    assert.equal((await closed)[0], 3_001);
    assert.deepEqual([emits, Object.hasOwn(server, 'emit'), server.listenerCount('upgrade')], [true, false, 0]);
    assert.deepEqual(await textAt(`${base}/tutti/health`), [200, 'the application at /tutti/health']);
  },
);

test('without a prefix the paths of programs are the node’s', { timeout }, async (t) => {
  const { tutti, base } = await start(t, { prefix: '' });
  assert.equal(tutti.url, base);
  assert.deepEqual(await textAt(`${base}/health`), [200, '{}\n']);
  assert.deepEqual(await textAt(`${base}/other`), [200, 'the application at /other']);
  await connect(t, tutti.url);
});

test('two nodes share a server', { timeout }, async (t) => {
  const { server, tutti, base } = await start(t);
  const second = await createServer({ server, prefix: '/second', config, hooks, log: nullLog });
  await connect(t, second.url);
  await connect(t, tutti.url);
  await tutti.close();
  await connect(t, second.url);
  await second.close();
  assert.deepEqual(await textAt(`${base}/second/health`), [200, 'the application at /second/health']);
});

test('all problems of the settings are said at once, and nothing is left running', async () => {
  const server = createHttpServer();
  const wrong = { pingInterval: '25', namespaces: { chat: { historySise: 3, subscribeHook: true } } } as object;
  await assert.rejects(createServer({ server, config: wrong, log: nullLog }), (error: unknown) => {
    assert.ok(error instanceof Fault);
    assert.match(error.message, /config: pingInterval must be a duration/);
    assert.match(error.message, /config: namespaces\.chat\.historySise .*did you mean historySize/);
    assert.match(error.message, /tokenKeys is empty/);
    return true;
  });
  assert.equal(Object.hasOwn(server, 'emit'), false);
});

test('S5: a node that is insecure is not attached to a server that others may reach', async () => {
  const { devSettings } = await import('../config/index.ts');
  const attached = createServer({ server: createHttpServer(), settings: devSettings(), log: nullLog });
  await assert.rejects(attached, /insecure/);
  await assert.rejects(createServer({ config, hooks, prefix: 'tutti/', server: createHttpServer() }), /prefix must be/);
  await assert.rejects(createServer({ config, settings: devSettings() }), /not both/);
});

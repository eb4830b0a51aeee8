import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { PinoLog } from '@tutti/server';
import { SystemClock } from '@tutti/server/internal';
import {
  connectClient,
  HostileWebSocket,
  opcodes,
  rawExchange,
  startNode,
  upgradeRequest,
  type StartedNode,
} from '@tutti/testkit';
import { answerOf } from './besieged-node.ts';

// Secrets in every place where a peer can put one, and a log that says all it ever would.

const timeout = 120_000;
// No word of this file's own path, which stands in stack traces.
const mark = 'S3CR3T';
const rounds = 60;

let planted = 0;
function plant(): string {
  planted += 1;
  return `${mark}${randomBytes(12).toString('hex')}`;
}

const apiKey = `${mark}-api-key-${randomBytes(24).toString('hex')}`;

/** Requests with secrets where proxies, browsers and careless clients put them. */
async function overHttp(node: StartedNode): Promise<void> {
  const headers = {
    Cookie: `session=${plant()}`,
    Authorization: `Bearer ${plant()}`,
    'Content-Type': 'application/json',
  };
  const post = (path: string, body: string, more: Record<string, string> = {}): Promise<Response> =>
    fetch(`${node.url}${path}`, { method: 'POST', body, headers: { ...headers, ...more } });
  const data = (): string => JSON.stringify({ channel: 'chat:a', data: { text: plant() }, idempotency_key: plant() });
  const answers = [
    post('/api/publish', data(), { 'X-API-Key': plant() }),
    post('/api/publish', data(), { 'X-API-Key': apiKey }),
    post('/api/publish', `{"channel":"nowhere:a","data":"${plant()}"}`, { 'X-API-Key': apiKey }),
    post('/api/publish', `{"channel":"chat:a","data":${plant()}`, { 'X-API-Key': apiKey }),
    post(`/api/nothing?key=${plant()}`, plant()),
    post('/emulation', JSON.stringify({ session: plant(), node: plant(), data: plant() })),
    fetch(`${node.url}/connection/sse?cf_connect=${plant()}`, { headers }),
    fetch(`${node.url}/connection/uni_sse?token=${plant()}`, { headers }),
    fetch(`${node.url}/ready?token=${plant()}`, { headers }),
  ];
  for (const answer of await Promise.all(answers)) await answer.body?.cancel();
  const upgrade = {
    path: `/connection/websocket?token=${plant()}`,
    headers: { Cookie: plant(), Origin: 'https://evil.example' },
  };
  await rawExchange(node.port, upgradeRequest(upgrade));
  await rawExchange(node.port, upgradeRequest({ ...upgrade, headers: { 'Sec-WebSocket-Key': plant() } }));
  await rawExchange(node.port, `GET /?token=${plant()} HTTP/1.1\r\nHost : ${plant()}\r\n\r\n`);
}

/** Commands that are refused, each for another reason, with something in them that is nobody's business. */
async function overWebSocket(node: StartedNode): Promise<void> {
  const bad = [
    { connect: { token: plant(), data: { password: plant() } } },
    { connect: { token: `${(await node.token({ user: 'ann', info: plant() })).slice(0, -4)}AAAA` } },
    { connect: { token: await node.token({ user: 'ann', info: plant(), expiresAtMs: 1_000 }) } },
    { connect: { token: `apikey:${plant()}` } },
    { connect: { token: `apikey:${apiKey}`, data: plant() } },
    { publish: { channel: 'chat:a', data: plant() } },
  ];
  const refused = bad.map(async (command) => {
    const socket = await HostileWebSocket.open(node.port);
    socket.send({ opcode: opcodes.text, payload: JSON.stringify({ id: 1, ...command }) });
    await answerOf(socket);
    socket.destroy();
  });
  const odd = [`{"id":1,"${plant()}":{`, `{"id":1,"connect":{"token":1,"token":"${plant()}"}}`].map(async (payload) => {
    const socket = await HostileWebSocket.open(node.port);
    socket.send({ opcode: opcodes.text, payload });
    await answerOf(socket);
    socket.destroy();
  });
  const ann = await connectClient(node, { user: 'ann', claims: { info: plant() } });
  await Promise.allSettled([
    ...refused,
    ...odd,
    ann.tutti.publish('chat:a', { text: plant() }, { idempotencyKey: plant() }),
    ann.tutti.publish('nowhere:a', { text: plant() }),
    ann.tutti.publish('closed:a', { text: plant() }),
    ann.tutti.rpc('throws', { text: plant() }),
    ann.tutti.rpc('nothing', { text: plant() }),
    ann.tutti.history('closed:a', { limit: 1 }),
  ]);
  ann.close();
}

test(
  'S29: of a thousand secrets planted wherever a peer can put one, none is in the log at its loudest',
  { timeout },
  async (t) => {
    const lines: string[] = [];
    const log = new PinoLog(
      { level: 'debug', destination: { write: (line) => void lines.push(line) } },
      new SystemClock(),
    );
    const node = await startNode({
      log,
      settings: {
        logLevel: 'debug',
        apiKeys: [{ name: 'test', key: apiKey, allow: ['*'] }],
        tokenHmacSecret: `${mark}-${randomBytes(32).toString('hex')}`,
        connectRateMax: 0,
        loopLagMaxMs: 0,
      },
      namespaces: {
        chat: { historySize: 10, durable: true },
        closed: { allowPublish: 'nobody', allowHistory: 'nobody' },
      },
      rpc: {
        throws: () => {
          throw new Error('the application failed');
        },
      },
    });
    t.after(() => node.close());
    for (let round = 0; round < rounds; round += 1) await Promise.all([overHttp(node), overWebSocket(node)]);
    await node.server.close();
    assert.ok(planted >= 1_000, `${planted} were planted`);
    assert.ok(lines.length > rounds, `${lines.length} lines`);
    assert.deepEqual(
      lines
        .filter((line) => line.includes(mark))
        .map((line) => line.slice(0, 300))
        .slice(0, 5),
      [],
    );
  },
);

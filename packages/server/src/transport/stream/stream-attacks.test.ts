import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test, type TestContext } from 'node:test';
import {
  connectClient,
  eventually,
  PlainEventSource,
  startNode,
  testTokenSecret,
  type StartedNode,
} from '@tutti/testkit';
import { defaultSettings } from '../../config/index.ts';
import { createServer } from '../../index.ts';

const timeout = 30_000;

async function start(t: TestContext, settings: NonNullable<Parameters<typeof startNode>[0]>['settings'] = {}) {
  const node = await startNode({
    namespaces: { log: { historySize: 100, presence: true } },
    settings: { allowAnonymous: true, allowedOrigins: ['https://app.example.com'], ...settings },
  });
  t.after(() => node.close());
  return node;
}

interface Talk {
  readonly source: PlainEventSource;
  readonly session: string;
  readonly client: string;
  readonly node: string;
}

const connectCommand = (token = ''): string => JSON.stringify({ id: 1, connect: { token } });

function open(t: TestContext, node: StartedNode, token?: string, headers?: Record<string, string>): PlainEventSource {
  const url = `${node.url}/connection/sse?cf_connect=${encodeURIComponent(connectCommand(token))}`;
  const source = new PlainEventSource(url, headers === undefined ? {} : { headers });
  t.after(() => source.close());
  return source;
}

async function talk(t: TestContext, node: StartedNode, user: string): Promise<Talk> {
  const source = open(t, node, await node.token({ user }));
  await eventually(() => source.events.length > 0, { what: 'the answer to the connect' });
  const { connect: result } = JSON.parse(source.events[0]?.data ?? '') as { connect: Omit<Talk, 'source'> };
  return { ...result, source };
}

function post(node: StartedNode, path: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${node.url}${path}`, {
    method: 'POST',
    body,
    headers: { 'Content-Type': 'application/json', ...headers },
  });
}

function emulate(node: StartedNode, request: object, headers?: Record<string, string>): Promise<Response> {
  return post(node, '/emulation', JSON.stringify(request), headers);
}

const publishing = (n: number): string => JSON.stringify({ id: 7, publish: { channel: 'log:a', data: { n } } });

test('S24: what others know of a session is no way into it, and a stranger learns nothing', { timeout }, async (t) => {
  const node = await start(t);
  const victim = await talk(t, node, 'ann');
  const eve = await talk(t, node, 'eve');
  assert.match(victim.session, /^[\w-]{22}$/);
  assert.notEqual(victim.session, victim.client, 'others see the client id in presence');
  for (const session of [victim.client, '', '__proto__', `${victim.session}x`, victim.session.toLowerCase()]) {
    const answer = await emulate(node, { session, node: victim.node, data: publishing(1) });
    assert.deepEqual([answer.status, await answer.text()], [204, ''], session);
  }
  assert.equal((await node.server.history('log:a')).publications.length, 0);
  const own = await emulate(node, { session: eve.session, node: eve.node, data: publishing(2) });
  assert.equal(own.status, 204);
  await eventually(() => eve.source.events.length === 2);
  assert.equal(victim.source.events.length, 1, 'nothing of another session');
  const elsewhere = await emulate(node, { session: victim.session, node: 'another', data: publishing(3) });
  assert.equal(elsewhere.status, 404);
});

test('S24: a session that has ended is answered like one that never was', { timeout }, async (t) => {
  const node = await start(t);
  const { source, session, node: name } = await talk(t, node, 'ann');
  source.close();
  await source.ended;
  await eventually(() => node.server.figures().connections === 0);
  assert.equal((await emulate(node, { session, node: name, data: publishing(1) })).status, 204);
  assert.equal((await node.server.history('log:a')).publications.length, 0);
});

test(
  'S1, S24: pages of other origins may neither connect nor send, and no wildcard is told',
  { timeout },
  async (t) => {
    const node = await start(t);
    const foreign = { Origin: 'https://evil.example.com' };
    const allowed = { Origin: 'https://app.example.com' };
    const refusals = [
      await post(node, '/connection/http_stream', connectCommand(), foreign),
      await post(node, '/connection/sse', connectCommand(), foreign),
      await emulate(node, {}, foreign),
      await fetch(`${node.url}/connection/uni_sse?channels=log:a`, { headers: foreign }),
      await fetch(`${node.url}/connection/sse`, { headers: { 'Sec-Fetch-Site': 'cross-site' } }),
      await fetch(`${node.url}/emulation`, { method: 'OPTIONS', headers: foreign }),
    ];
    for (const { status, headers } of refusals) {
      assert.deepEqual([status, headers.get('access-control-allow-origin')], [403, null]);
    }
    const asked = await fetch(`${node.url}/emulation`, { method: 'OPTIONS', headers: allowed });
    assert.equal(asked.status, 204);
    assert.equal(asked.headers.get('access-control-allow-origin'), 'https://app.example.com');
    assert.equal(asked.headers.get('access-control-allow-credentials'), null);
    assert.match(asked.headers.get('access-control-allow-headers') ?? '', /Content-Type/);
    const source = open(t, node, await node.token({ user: 'ann' }), allowed);
    await eventually(() => source.events.length > 0);
    assert.equal(source.headers.get('access-control-allow-origin'), 'https://app.example.com');
  },
);

test(
  'S1: a node without tokens answers under loopback names only, so no name can be pointed at it',
  { timeout },
  async (t) => {
    const node = await start(t, { insecure: true });
    const socket = connect(node.port, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.write('GET /connection/uni_sse?channels=log:a HTTP/1.1\r\nHost: evil.example.com\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 403 /);
  },
);

test('S24: a GET does no more than connect', { timeout }, async (t) => {
  const node = await start(t);
  for (const frame of [`${connectCommand()}\n${publishing(1)}`, publishing(1), '', 'nonsense', '{}']) {
    const answer = await fetch(`${node.url}/connection/sse?cf_connect=${encodeURIComponent(frame)}`);
    assert.equal(answer.status, 400, frame);
  }
  assert.equal((await node.server.history('log:a')).publications.length, 0);
});

test('S13, S14: bodies that are too large, or no requests, cost themselves only', { timeout }, async (t) => {
  const node = await start(t, { frameBytesMax: 4_096 });
  const { session, node: name, source } = await talk(t, node, 'ann');
  const large = 'x'.repeat(5_000);
  assert.equal((await emulate(node, { session, node: name, data: large })).status, 413);
  assert.equal((await emulate(node, { session, node: name, data: 'x'.repeat(50_000) })).status, 413);
  assert.equal((await post(node, '/connection/http_stream', large)).status, 413);
  for (const body of ['', '[]', 'null', '"text"', '{', '{"session":1,"node":"a","data":"b"}', '['.repeat(8_000)]) {
    assert.equal((await post(node, '/emulation', body)).status, 400, body.slice(0, 20));
  }
  const protobuf = { 'Content-Type': 'application/octet-stream' };
  for (const body of ['\u0008', '\u000a\u007f', '\u000a', '\u007f\u007f\u007f\u007f\u007f\u007f']) {
    assert.equal((await post(node, '/emulation', body, protobuf)).status, 400);
  }
  await emulate(node, { session, node: name, data: publishing(1) });
  await eventually(() => source.events.length === 2, { what: 'the session goes on' });
  await emulate(node, { session, node: name, data: 'nonsense' });
  await source.ended;
  assert.match(source.events.at(-1)?.data ?? '', /"code":3501/);
});

test('S3: a body that comes slowly, or never, holds its place for a bounded time', { timeout }, async (t) => {
  const node = await start(t, { connectionsPerAddressMax: 2 });
  const slow = ['/emulation', '/connection/http_stream'].map((path) => {
    const socket = connect(node.port, '127.0.0.1');
    socket.on('error', () => undefined).resume();
    socket.write(`POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{`);
    return once(socket, 'close');
  });
  await Promise.all(slow);
  await talk(t, node, 'ann');
  assert.equal(node.server.figures().connections, 1);
});

test(
  'S21: streams and WebSockets of one address are bounded together, and places are given back',
  { timeout },
  async (t) => {
    const node = await start(t, { connectionsPerAddressMax: 3 });
    const bob = await connectClient(node, { user: 'bob' });
    t.after(() => bob.close());
    const first = await talk(t, node, 'ann');
    await talk(t, node, 'ann');
    const refused = await fetch(`${node.url}/connection/uni_sse?channels=log:a`);
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1']);
    first.source.close();
    await eventually(() => node.server.figures().connections === 2);
    await talk(t, node, 'ann');
  },
);

test('CON-2: a node that takes nobody answers streams with 503 and when to return', { timeout }, async (t) => {
  const node = await start(t, { connectRateMax: 1, connectBurstMax: 1 });
  await talk(t, node, 'ann');
  const refused = await post(node, '/connection/http_stream', connectCommand());
  assert.equal(refused.status, 503);
  assert.ok(Number(refused.headers.get('retry-after')) >= 1);
});

test('requests behind a stream on the same connection are not answered for ever', { timeout }, async (t) => {
  const node = await start(t);
  const socket = connect(node.port, '127.0.0.1');
  socket.on('error', () => undefined).resume();
  const request = 'GET /connection/uni_sse?channels=log:a HTTP/1.1\r\nHost: localhost\r\n\r\n';
  socket.write(request + request);
  await once(socket, 'close');
  await eventually(() => node.server.figures().connections === 0);
});

test('S29: the session id is in no log line', { timeout }, async (t) => {
  const lines: string[] = [];
  const keep = (fields: object, message: string): void => void lines.push(JSON.stringify([fields, message]));
  const log = { debug: keep, info: keep, warn: keep, error: keep };
  const node = await start(t);
  const settings = { ...defaultSettings(), host: '127.0.0.1', port: 0, tokenHmacSecret: testTokenSecret };
  const server = await createServer({ settings, log, dashboard: false });
  t.after(() => server.close());
  const other = { ...node, url: server.url };
  const { session, node: name, source } = await talk(t, other, 'ann');
  await emulate(other, { session, node: name, data: 'nonsense' });
  await source.ended;
  assert.ok(lines.length > 0);
  assert.ok(!lines.some((line) => line.includes(session)), 'the session id was logged');
});

test('S21: who floods requests is read more slowly, and all of them are acted on in order', { timeout }, async (t) => {
  const node = await start(t, { commandRateMax: 50 });
  const { session, node: name, source } = await talk(t, node, 'ann');
  const commands = Array.from({ length: 150 }, (_, i) => JSON.stringify({ id: i + 2, presence: { channel: 'log:a' } }));
  for (let i = 0; i < commands.length; i += 10) {
    const data = commands.slice(i, i + 10).join('\n');
    assert.equal((await emulate(node, { session, node: name, data })).status, 204);
  }
  const ids = (): number[] =>
    source.events.flatMap(({ data }) =>
      data.split('\n').flatMap((line) => (JSON.parse(line) as { id?: number }).id ?? []),
    );
  await eventually(() => ids().length === 151);
  assert.deepEqual(
    ids(),
    Array.from({ length: 151 }, (_, i) => i + 1),
  );
  const metrics = await (await fetch(node.server.metricsUrl)).text();
  assert.match(metrics, /^tutti_connections_held_total [1-9]/m);
});

test('CON-2: while no new connection is taken, those that were are served', { timeout }, async (t) => {
  const node = await start(t, { connectRateMax: 1, connectBurstMax: 1 });
  const { session, node: name } = await talk(t, node, 'ann');
  assert.equal((await post(node, '/connection/http_stream', connectCommand())).status, 503);
  assert.equal((await fetch(`${node.url}/connection/poll?channels=log:a`)).status, 503);
  for (let n = 1; n <= 5; n += 1) await emulate(node, { session, node: name, data: publishing(n) });
  await eventually(async () => (await node.server.history('log:a')).publications.length === 5);
});

const pong = '{}';
const bytesOf = ({ events }: PlainEventSource): number => events.reduce((sum, { data }) => sum + data.length, 0);

test(
  'BP-2, CON-1: a peer that was told to answer pings and does not is sent one window, and is then dead',
  { timeout },
  async (t) => {
    const node = await start(t, { pingIntervalMs: 2_000, pongTimeoutMs: 1_000 });
    const { session, node: name, source } = await talk(t, node, 'ann');
    const data = JSON.stringify({ id: 2, subscribe: { channel: 'log:a' } });
    assert.equal((await emulate(node, { session, node: name, data })).status, 204);
    for (let n = 0; n < 200; n += 1) await node.server.publish('log:a', { n, text: 'x'.repeat(1_000) });
    await source.ended;
    const told = JSON.parse(source.events.at(-1)?.data ?? '') as { push?: { disconnect?: { code: number } } };
    assert.equal(told.push?.disconnect?.code, 3_012);
    const bytes = bytesOf(source);
    assert.ok(bytes > 1_000 && bytes < 16 * 1024, `${bytes} bytes`);
  },
);

test('S15: answers to pings that were not sent end the stream that they are for', { timeout }, async (t) => {
  const node = await start(t);
  const { session, node: name, source } = await talk(t, node, 'ann');
  const data = Array.from({ length: 1_000 }, () => pong).join('\n');
  assert.equal((await emulate(node, { session, node: name, data })).status, 204);
  await source.ended;
  assert.match(source.events.at(-1)?.data ?? '', /"code":3501/);
});

test('S15: a hostile peer that answers what it has not read gains one window for each ping', { timeout }, async (t) => {
  const node = await start(t);
  const { session, node: name, source } = await talk(t, node, 'ann');
  const subscribing = JSON.stringify({ id: 2, subscribe: { channel: 'log:a' } });
  await emulate(node, { session, node: name, data: subscribing });
  const pings = (): number => source.events.filter(({ data }) => data.split('\n').includes(pong)).length;
  for (let n = 0; n < 50; n += 1) await node.server.publish('log:a', { n, text: 'x'.repeat(1_000) });
  await eventually(() => pings() >= 1);
  // As many answers as there were pings are taken, and confirm no more than those; one more is the end.
  const asked = pings();
  await emulate(node, { session, node: name, data: Array.from({ length: asked + 5 }, () => pong).join('\n') });
  await source.ended;
  assert.match(source.events.at(-1)?.data ?? '', /"code":3501/);
  assert.ok(bytesOf(source) < 64 * 1024);
});

test('S13: a poll that nobody can read is refused, and gives its place back', { timeout }, async (t) => {
  const node = await start(t, { connectionsPerAddressMax: 2 });
  const deep = `${'['.repeat(12_000)}${']'.repeat(12_000)}`;
  for (const extra of [`"data":${deep}`, `"wait":${deep}`, '"wait":{"valueOf":1,"toString":1}', '"wait":[1]']) {
    for (let i = 0; i < 3; i += 1) {
      const answer = await post(node, '/connection/poll', `{"channels":["log:a"],${extra}}`);
      assert.equal(answer.status, 400, `${extra.slice(0, 20)}, ${i}`);
      await answer.text();
    }
  }
  const good = await post(node, '/connection/poll', '{"channels":["log:a"],"wait":0}');
  assert.equal(good.status, 200);
  await good.text();
});

test(
  'CON-1: an answer that is lost ends the stream once nothing more comes, and not others',
  { timeout },
  async (t) => {
    const node = await start(t, { pingIntervalMs: 2_000, pongTimeoutMs: 1_500 });
    const [loses, answers] = [await talk(t, node, 'ann'), await talk(t, node, 'bob')];
    const answerAll = ({ source, session, node: name }: Talk, lost: number): NodeJS.Timeout => {
      let answered = 0;
      return setInterval(() => {
        const pings = source.events.filter(({ data }) => data === pong).length;
        for (; answered < pings; answered += 1) {
          if (answered >= lost) void emulate(node, { session, node: name, data: pong });
        }
      }, 10);
    };
    const timers = [answerAll(loses, 1), answerAll(answers, 0)];
    t.after(() => timers.forEach((timer) => clearInterval(timer)));
    await loses.source.ended;
    assert.match(loses.source.events.at(-1)?.data ?? '', /"code":3012/);
    const before = answers.source.events.length;
    await eventually(() => answers.source.events.length >= before + 2, { what: 'pings of the other' });
  },
);

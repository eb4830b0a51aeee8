import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { rawExchange, startNode, upgradeRequest, VirtualClock, type StartedNode } from '@tutti/testkit';
import { WebSocket } from 'ws';
import { BucketAddressPace } from './address-pace.ts';

const timeout = 30_000;
const options = { addressConnectRateMax: 20, connectionsPerAddressMax: 200, tokenFailuresMax: 5 };

async function start(t: TestContext, settings: object): Promise<StartedNode> {
  const node = await startNode({
    namespaces: { live: {} },
    settings: { allowAnonymous: true, trustedProxies: ['127.0.0.1'], ...settings },
  });
  t.after(() => node.close());
  return node;
}

const from = (address: string): { headers: Record<string, string> } => ({ headers: { 'X-Forwarded-For': address } });

/** A socket that is open, and what it is told. */
async function socket(t: TestContext, node: StartedNode, address: string) {
  const ws = new WebSocket(node.wsUrl, from(address));
  t.after(() => ws.terminate());
  await once(ws, 'open');
  const ask = async (command: object): Promise<Record<string, unknown>> => {
    ws.send(JSON.stringify(command));
    const [data] = (await once(ws, 'message')) as [Buffer];
    return JSON.parse(data.toString()) as Record<string, unknown>;
  };
  return { ws, ask };
}

function metrics(node: StartedNode): Promise<string> {
  return fetch(node.server.metricsUrl).then((response) => response.text());
}

test('S21: all of an address may come back at once, then as many a second as allowed; loopback is exempt', () => {
  const clock = new VirtualClock();
  const pace = new BucketAddressPace(options, clock);
  for (let n = 0; n < 200; n += 1) assert.equal(pace.admit('203.0.113.7'), undefined);
  const refused = pace.admit('203.0.113.7');
  assert.deepEqual([refused?.reason, refused?.retryAfterMs], ['address_rate', 50]);
  assert.equal(pace.admit('203.0.113.8'), undefined);
  clock.advance(50);
  assert.equal(pace.admit('203.0.113.7'), undefined);
  for (let n = 0; n < 200; n += 1) pace.admit(`2001:db8:1:2::${n.toString(16)}`);
  assert.equal(pace.admit('2001:db8:1:2:3::4')?.reason, 'address_rate', 'one IPv6 network is one');
  for (let n = 0; n < 10_000; n += 1)
    assert.equal(pace.admit('127.0.0.1') ?? pace.admit('::1') ?? pace.admit(''), undefined);
});

test('S9: after five bad tokens in a minute an address is let in again one at a time; loopback is exempt', () => {
  const clock = new VirtualClock();
  const pace = new BucketAddressPace(options, clock);
  for (let n = 0; n < 5; n += 1) {
    assert.equal(pace.wait('203.0.113.7'), 0);
    pace.failed('203.0.113.7');
  }
  assert.equal(pace.wait('203.0.113.7'), 12_000);
  assert.deepEqual(pace.admit('203.0.113.7')?.reason, 'bad_tokens');
  assert.equal(pace.admit('203.0.113.8'), undefined);
  clock.advance(12_000);
  assert.equal(pace.admit('203.0.113.7'), undefined, 'who is let in pays nothing');
  pace.failed('203.0.113.7');
  assert.equal(pace.admit('203.0.113.7')?.retryAfterMs, 12_000);
  for (let n = 0; n < 100; n += 1) pace.failed('127.0.0.1');
  assert.equal(pace.admit('127.0.0.1'), undefined);
});

test('a rate of 0 refuses nobody', () => {
  const pace = new BucketAddressPace({ ...options, addressConnectRateMax: 0, tokenFailuresMax: 0 }, new VirtualClock());
  for (let n = 0; n < 1_000; n += 1) {
    pace.failed('203.0.113.7');
    assert.equal(pace.admit('203.0.113.7'), undefined);
  }
});

test(
  'S21: each way to connect is refused with 429 and Retry-After, and the next address is not',
  { timeout },
  async (t) => {
    const node = await start(t, { addressConnectRateMax: 1, connectionsPerAddressMax: 1 });
    // Of a foreign page, so that none of them stays: they cost the address all the same.
    const stream = (path: string, method: string, address: string): string =>
      `${method} /connection/${path} HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ${address}\r\nOrigin: https://elsewhere.example\r\nContent-Length: 0\r\n\r\n`;
    const ways: Record<string, (address: string) => string> = {
      websocket: (address) =>
        upgradeRequest({ headers: { 'X-Forwarded-For': address, Origin: 'https://elsewhere.example' } }),
      sse: (address) => stream('sse', 'GET', address),
      http_stream: (address) => stream('http_stream', 'POST', address),
      uni_sse: (address) => stream('uni_sse', 'GET', address),
      poll: (address) => stream('poll', 'GET', address),
    };
    let refusals = 0;
    for (const [index, [way, request]] of Object.entries(ways).entries()) {
      const flood = `203.0.113.${index}`;
      const answers = await Promise.all(Array.from({ length: 20 }, () => rawExchange(node.port, request(flood))));
      const refused = answers.filter(({ status }) => status === 429);
      assert.ok(refused.length > 0, `${way}: ${answers.map(({ status }) => status).join(' ')}`);
      for (const { text, ended } of refused) {
        assert.match(text, /^Retry-After: 1\r$/im, way);
        assert.match(text, /this address connects too often/, way);
        assert.ok(ended, way);
      }
      refusals += refused.length;
      assert.equal((await rawExchange(node.port, request(`198.51.100.${index}`))).status, 403, way);
    }
    assert.match(await metrics(node), new RegExp(`tutti_handshakes_refused_total{reason="address_rate"} ${refusals}`));
    const { status } = await rawExchange(node.port, upgradeRequest(from('198.51.100.99')));
    assert.equal(status, 101);
  },
);

test('S21: storms from loopback are not refused by the limit of an address', { timeout }, async (t) => {
  const node = await start(t, { addressConnectRateMax: 1, connectionsPerAddressMax: 1, trustedProxies: [] });
  const request = upgradeRequest({ headers: { 'Sec-WebSocket-Key': 'short', 'X-Forwarded-For': '203.0.113.7' } });
  const answers = await Promise.all(Array.from({ length: 50 }, () => rawExchange(node.port, request)));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))], [400]);
});

test(
  'S9: who sends bad tokens is refused with 429 for a while, with others of its address, but who is connected stays',
  { timeout },
  async (t) => {
    const node = await start(t, { tokenFailuresMax: 2, allowAnonymous: false });
    const [guesser, other] = ['203.0.113.7', '203.0.113.8'];
    const token = await node.token({ user: 'ann' });
    const friend = await socket(t, node, guesser);
    assert.ok('connect' in (await friend.ask({ id: 1, connect: { token } })));
    const waiting = await socket(t, node, guesser);
    for (const guess of ['guess', `${token.slice(0, -4)}AAAA`]) {
      const { ws } = await socket(t, node, guesser);
      ws.send(JSON.stringify({ id: 1, connect: { token: guess } }));
      assert.equal(((await once(ws, 'close')) as [number])[0], 3500);
    }
    const refused = await rawExchange(node.port, upgradeRequest(from(guesser)));
    assert.equal(refused.status, 429);
    const seconds = Number(/^Retry-After: (\d+)\r$/m.exec(refused.text)?.[1]);
    assert.ok(seconds >= 1 && seconds <= 30, `retry in ${seconds} s`);
    const polled = await fetch(`${node.url}/connection/poll?channels=live:a&token=${token}`, from(guesser));
    assert.equal(polled.status, 429);
    const { error } = (await waiting.ask({ id: 1, connect: { token } })) as { error: Record<string, unknown> };
    assert.deepEqual([error['code'], error['temporary']], [111, true]);
    assert.ok('connect' in (await (await socket(t, node, other)).ask({ id: 1, connect: { token } })));
    assert.ok('refresh' in (await friend.ask({ id: 2, refresh: { token } })));
    assert.ok('publish' in (await friend.ask({ id: 3, publish: { channel: 'live:a', data: 1 } })));
    const page = await metrics(node);
    assert.match(page, /tutti_handshakes_refused_total\{reason="bad_tokens"\} 2/);
    assert.match(page, /tutti_tokens_refused_total\{reason="connect"\} 2/);
    assert.match(page, /tutti_tokens_refused_total\{reason="address"\} 1/);
  },
);

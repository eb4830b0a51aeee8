import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  eventually,
  MemoryBusNetwork,
  PlainEventSource,
  SeededRandom,
  startNode,
  type StartedNode,
} from '@tutti/testkit';
import { MemoryBroker, SystemClock } from '@tutti/server/internal';
import { connectSdk, jsonSdk, protobufSdk, type Sdk, type SdkCodec } from '../e2e/official-sdk.ts';

/** Nodes in one process with a bus in memory: what a client or a backend may ask of any of them. */

const clock = new SystemClock();
const random = new SeededRandom(11);
const network = new MemoryBusNetwork(clock, random.fork());
const apiKey = 'an api key that every test of this file knows';
const nodes: StartedNode[] = [];

before(async () => {
  for (const nodeName of ['a', 'b', 'c']) {
    nodes.push(
      await startNode({
        settings: { nodeName, apiKeys: [{ name: 'all', key: apiKey, allow: ['*'] }], clusterSecret: 'x'.repeat(32) },
        namespaces: { room: { presence: true, joinLeave: true }, log: { historySize: 1_000 } },
        rpc: { double: (data) => ({ twice: (data as { n: number }).n * 2 }) },
        engine: { broker: new MemoryBroker({ clock, random }), bus: network.bus(nodeName), mayLoseLive: () => false },
      }),
    );
  }
});
after(async () => {
  for (const node of nodes) await node.close();
});

const node = (index: number): StartedNode => nodes[index] as StartedNode;

async function call(at: StartedNode, method: string, params: object): Promise<Record<string, unknown>> {
  const headers = { 'X-API-Key': apiKey, 'Content-Type': 'application/json' };
  const response = await fetch(`${at.url}/api/${method}`, { method: 'POST', headers, body: JSON.stringify(params) });
  const answer = (await response.json()) as { result?: Record<string, unknown> };
  assert.ok(answer.result !== undefined, JSON.stringify(answer));
  return answer.result;
}

describe('sessions without sticky routing', () => {
  const ways: readonly [name: string, codec: SdkCodec, transport: 'sse' | 'http_stream'][] = [
    ['SSE', jsonSdk, 'sse'],
    ['HTTP stream in Protobuf', protobufSdk, 'http_stream'],
  ];
  for (const [name, codec, transport] of ways) {
    test(`a stream of one node is talked to through another: ${name}`, async (t) => {
      const sdk: Sdk = await connectSdk(t, codec, node(0), {
        user: 'ann',
        url: [{ transport, endpoint: `${node(0).url}/connection/${transport}` }],
        emulationEndpoint: `${node(1).url}/emulation`,
        eventsource: PlainEventSource,
      });
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) => sdk.centrifuge.rpc('double', codec.pack({ n }))),
      );
      assert.deepEqual(
        answers.map(({ data }) => codec.unpack(data)),
        answers.map((_, n) => ({ twice: 2 * n })),
      );
    });

    test(`BP-2: what it consumed is confirmed through another node: ${name}`, async (t) => {
      const sdk: Sdk = await connectSdk(t, codec, node(0), {
        user: 'ann',
        url: [{ transport, endpoint: `${node(0).url}/connection/${transport}` }],
        emulationEndpoint: `${node(1).url}/emulation`,
        eventsource: PlainEventSource,
      });
      const channel = `log:${transport}`;
      const followed = await sdk.follow(channel);
      // Many windows, so that most of it leaves only because something was confirmed.
      const text = 'x'.repeat(10_000);
      for (let n = 1; n <= 300; n += 1) await node(0).server.publish(channel, { n, text });
      const seen = await followed.publications(300);
      assert.deepEqual(
        seen.map(({ offset }) => offset),
        Array.from({ length: 300 }, (_, i) => i + 1),
      );
      assert.equal(sdk.events.all('connected').length, 1);
    });
  }

  test('S24: of another node no stranger learns which sessions there are', async () => {
    const ask = (body: object): Promise<Response> =>
      fetch(`${node(1).url}/emulation`, { method: 'POST', body: JSON.stringify(body) });
    const guessed = await ask({ node: 'a', session: 'guessed', data: '{}' });
    assert.equal(guessed.status, 204);
    assert.equal((await ask({ node: 'nobody', session: 'guessed', data: '{}' })).status, 404);
  });

  test('S21: a name that no session has is refused at once, and not carried to another node', async () => {
    // In JSON each of these bytes takes six: far more than a message between nodes has room for.
    const session = Buffer.alloc(60_000, 1);
    const length = Buffer.from([
      0x80 | (session.length & 0x7f),
      0x80 | ((session.length >> 7) & 0x7f),
      session.length >> 14,
    ]);
    const body = Buffer.concat([Buffer.from([0x0a, 1, 0x61, 0x12]), length, session]);
    const headers = { 'Content-Type': 'application/octet-stream' };
    const answer = await fetch(`${node(1).url}/emulation`, { method: 'POST', body, headers });
    assert.equal(answer.status, 400);
    const metrics = await (await fetch(node(1).server.metricsUrl)).text();
    assert.match(metrics, /^tutti_bugs_total 0$/m);
  });
});

test('PRE-3: members of all nodes are listed, told and counted on each; the API steers them from any', async (t) => {
  const sdks: Sdk[] = [];
  for (const [index, at] of nodes.entries()) {
    const sdk = await connectSdk(t, jsonSdk, at, { user: index < 2 ? 'ann' : 'bob' });
    await sdk.follow('room:1');
    sdks.push(sdk);
  }
  for (const at of nodes) {
    await eventually(async () => {
      assert.deepEqual(await call(at, 'presence_stats', { channel: 'room:1' }), { num_clients: 3, num_users: 2 });
      return true;
    });
    const { connections } = await call(at, 'connections', { user: 'ann' });
    assert.equal(Object.keys(connections as object).length, 2);
    const { channels } = await call(at, 'channels', { pattern: 'room:1' });
    assert.deepEqual(channels, { 'room:1': { num_clients: 3 } });
    const info = await call(at, 'info', {});
    assert.equal((info['nodes'] as object[]).length, 3);
  }
  assert.deepEqual(await call(node(2), 'disconnect', { user: 'ann' }), {});
  await eventually(async () => {
    const { num_clients: left } = await call(node(1), 'presence_stats', { channel: 'room:1' });
    return left === 1;
  });
});

test('PRE-2: nodes whose engine keeps no last seen say so, rather than each what it knows', async () => {
  await assert.rejects(node(0).server.lastSeen(['ann']), /not available: last seen/);
});

test('a program that embeds one node ends connections and subscriptions of all', async (t) => {
  const sdks: Sdk[] = [];
  for (const at of nodes) {
    const sdk = await connectSdk(t, jsonSdk, at, { user: 'zoe' });
    await sdk.follow('room:2');
    sdks.push(sdk);
  }
  const { server } = node(0);
  assert.deepEqual(await server.unsubscribe('zoe', 'room:2'), { count: 3, silent: [] });
  assert.deepEqual(await server.disconnect('zoe'), { count: 3, silent: [] });
  for (const { events } of sdks) await events.count('disconnected', 1);
});

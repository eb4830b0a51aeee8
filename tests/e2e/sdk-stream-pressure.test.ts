import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  eventually,
  HttpProxy,
  PlainEventSource,
  startFaultProxy,
  startNode,
  type FaultProxy,
  type StartedNode,
} from '@tutti/testkit';
import type { TransportName } from 'centrifuge';
import {
  connectSdk,
  jsonSdk,
  protobufSdk,
  type Cleanup,
  type Sdk,
  type SdkCodec,
  type SdkOptions,
} from './official-sdk.ts';

/** The SDK on streams, under more than it takes: what it answers to pings is what it has consumed. */

const KiB = 1024;
const text = 'x'.repeat(10 * KiB);
let node: StartedNode;

before(async () => {
  node = await startNode({
    namespaces: { log: { historySize: 10_000 }, price: { delivery: 'latest', historySize: 10 } },
    settings: { commandRateMax: 10 },
  });
});
after(() => node.close());

interface Way {
  readonly name: string;
  readonly transport: TransportName;
  readonly codec: SdkCodec;
}

const ways: readonly Way[] = [
  { name: 'SSE', transport: 'sse', codec: jsonSdk },
  { name: 'HTTP-stream-in-JSON', transport: 'http_stream', codec: jsonSdk },
  { name: 'HTTP-stream-in-Protobuf', transport: 'http_stream', codec: protobufSdk },
];

/** The stream through one address, the requests through another. */
function connect(t: Cleanup, { transport, codec }: Way, stream: string, requests: string = node.url): Promise<Sdk> {
  const options: SdkOptions = {
    user: 'ann',
    url: [{ transport, endpoint: `${stream}/connection/${transport}` }],
    emulationEndpoint: `${requests}/emulation`,
    eventsource: PlainEventSource,
  };
  return connectSdk(t, codec, node, options);
}

/** What stands before the node reads no more than a byte a second, and holds back as little. */
async function stall(proxy: FaultProxy, channel: string): Promise<void> {
  proxy.set({ bytesPerSecond: 1 });
  const before = proxy.passed('down');
  await node.server.publish(channel, { n: 0, text });
  await eventually(() => proxy.passed('down') <= before + 16 * KiB);
}

/** Each in a turn of its own, so that each may leave before the next. */
async function publish(channel: string, count: number): Promise<void> {
  for (let n = 1; n <= count; n += 1) {
    await node.server.publish(channel, { n, text });
    await nextTurn();
  }
}

describe('streams under pressure', { concurrency: true }, () => {
  for (const way of ways) {
    test(`BP-2, DEL-2: heavy traffic reaches the SDK whole, each request confirms many: ${way.name}`, async (t) => {
      const channel = `log:${way.name}`;
      const requests = await HttpProxy.start({ target: node, upgrades: 'refuse' });
      t.after(() => requests.close());
      const sdk = await connect(t, way, node.url, requests.url);
      const followed = await sdk.follow(channel);
      const before = requests.seen.length;
      const count = 1_000;
      await publish(channel, count);
      const seen = await followed.events.count('publication', count, 60_000);
      assert.deepEqual(
        seen.map(({ offset }) => offset),
        Array.from({ length: count }, (_, i) => i + 1),
      );
      assert.equal(sdk.events.all('connected').length, 1, 'it was never cut');
      assert.equal(followed.events.all('subscribed').length, 1);
      const answers = requests.seen.length - before;
      assert.ok(answers >= 10, `${answers} answers: what confirms?`);
      assert.ok((count * text.length) / answers >= 16 * KiB, `${answers} answers to ${count * 10} KiB`);
      // More of them than commands are allowed in the time: they take nothing from those.
      const metrics = await (await fetch(node.server.metricsUrl)).text();
      assert.doesNotMatch(metrics, /^tutti_connections_held_total [1-9]/m);
    });

    test(`BP-3: a reader that stalls has little on its way, and then the newest: ${way.name}`, async (t) => {
      const channel = `price:${way.name}`;
      const proxy = await startFaultProxy({ target: { port: node.port } });
      t.after(() => proxy.close());
      const sdk = await connect(t, way, `http://127.0.0.1:${proxy.port}`);
      const followed = await sdk.follow(channel);
      await stall(proxy, channel);
      const count = 800;
      await publish(channel, count);
      proxy.heal();
      const newest = (): boolean => followed.events.all('publication').at(-1)?.offset === count + 1;
      await eventually(newest, { withinMs: 60_000, what: 'the newest' });
      const seen = followed.events.all('publication').map(({ offset }) => offset ?? 0);
      assert.deepEqual(
        seen,
        [...new Set(seen)].sort((a, b) => a - b),
      );
      // The kernels would have taken some 400 of them.
      assert.ok(seen.length < 60, `${seen.length} of ${count} were on their way`);
      assert.equal(sdk.events.all('connected').length, 1, 'it was never cut');
    });

    test(`a reader of little answers no more than pings of the heartbeat: ${way.name}`, async (t) => {
      const channel = `log:quiet-${way.name}`;
      const requests = await HttpProxy.start({ target: node, upgrades: 'refuse' });
      t.after(() => requests.close());
      const sdk = await connect(t, way, node.url, requests.url);
      const followed = await sdk.follow(channel);
      for (let n = 1; n <= 3; n += 1) await node.server.publish(channel, { n, text: 'x'.repeat(KiB) });
      await followed.publications(3);
      assert.deepEqual(requests.seen, ['/emulation'], 'the subscribe alone');
    });
  }
});

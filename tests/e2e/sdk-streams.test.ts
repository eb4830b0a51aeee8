import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { eventually, PlainEventSource, startFaultProxy, startNode, type StartedNode } from '@tutti/testkit';
import type { TransportName } from 'centrifuge';
import {
  connectSdk,
  jsonSdk,
  protobufSdk,
  sdkFor,
  type Cleanup,
  type Sdk,
  type SdkCodec,
  type SdkOptions,
} from './official-sdk.ts';

/** The SDK where no WebSocket gets through: one way a stream, the other way requests. */

const log = { historySize: 1_000, presence: true, joinLeave: true };
let node: StartedNode;

before(async () => {
  node = await startNode({
    namespaces: { log, room: {} },
    settings: { pingIntervalMs: 1_000, pongTimeoutMs: 1_000 },
    rpc: { double: (data) => ({ twice: (data as { n: number }).n * 2 }) },
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
  { name: 'HTTP stream in JSON', transport: 'http_stream', codec: jsonSdk },
  { name: 'HTTP stream in Protobuf', transport: 'http_stream', codec: protobufSdk },
];

/** Options of the SDK for a stream to `origin`. */
function over({ transport }: Way, origin = node.url): SdkOptions {
  return {
    user: 'ann',
    url: [{ transport, endpoint: `${origin}/connection/${transport}` }],
    emulationEndpoint: `${origin}/emulation`,
    eventsource: PlainEventSource,
  };
}

function connect(t: Cleanup, way: Way, options: SdkOptions = {}): Promise<Sdk> {
  return connectSdk(t, way.codec, node, { ...over(way), ...options });
}

describe('streams', { concurrency: true }, () => {
  for (const way of ways) {
    describe(way.name, { concurrency: true }, () => {
      const channel = (name: string): string => `${name}-${way.name.replaceAll(' ', '-')}`;

      test('connects, subscribes, publishes, and is told of publications', async (t) => {
        const sdk = await connect(t, way);
        assert.equal(sdk.events.all('connected')[0]?.transport, way.transport);
        const followed = await sdk.follow(channel('log:talk'));
        for (let n = 1; n <= 20; n += 1) await sdk.publish(channel('log:talk'), { n, text: 'ü\n"' });
        const seen = await followed.publications(20);
        assert.deepEqual(
          seen.map(({ offset, value }) => [offset, value]),
          Array.from({ length: 20 }, (_, i) => [i + 1, { n: i + 1, text: 'ü\n"' }]),
        );
      });

      test('presence, joins, history and rpc are as over WebSocket', async (t) => {
        const name = channel('log:members');
        const sdk = await connect(t, way);
        const followed = await sdk.follow(name);
        const bob = await connectSdk(t, way.codec, node, { user: 'bob' });
        await bob.follow(name);
        await eventually(() => followed.events.all('join').some(({ info }) => info.user === 'bob'));
        const { clients } = await sdk.centrifuge.presence(name);
        assert.deepEqual(
          Object.values(clients)
            .map(({ user }) => user)
            .sort(),
          ['ann', 'bob'],
        );
        await sdk.publish(name, { n: 1 });
        const { publications } = await sdk.centrifuge.history(name, { limit: 10 });
        assert.deepEqual(sdk.values(publications), [{ n: 1 }]);
        const { data } = await sdk.centrifuge.rpc('double', way.codec.pack({ n: 21 }));
        assert.deepEqual(way.codec.unpack(data), { twice: 42 });
      });

      test('CON-1: pings are answered by requests, and the connection stays', async (t) => {
        const sdk = await connect(t, way);
        const followed = await sdk.follow(channel('room:idle'));
        await new Promise((resolve) => setTimeout(resolve, 3_500));
        await node.server.publish(channel('room:idle'), { n: 1 });
        await followed.publications(1);
        assert.equal(sdk.events.all('connected').length, 1);
      });

      test('DEL-2: a cut loses nothing and doubles nothing', async (t) => {
        const name = channel('log:cut');
        const proxy = await startFaultProxy({ target: { port: node.port } });
        t.after(() => proxy.close());
        const sdk = await connect(t, way, over(way, `http://127.0.0.1:${proxy.port}`));
        const followed = await sdk.follow(name);
        for (let cut = 0; cut < 3; cut += 1) {
          await node.server.publish(name, { n: cut * 2 + 1 });
          await followed.publications(cut * 2 + 1);
          proxy.set({ refuse: true });
          proxy.resetAll();
          await sdk.events.count('connecting', cut + 2);
          await node.server.publish(name, { n: cut * 2 + 2 });
          proxy.heal();
          await sdk.events.count('connected', cut + 2);
        }
        const seen = await followed.publications(6);
        assert.deepEqual(
          seen.map(({ offset }) => offset),
          [1, 2, 3, 4, 5, 6],
        );
        assert.equal(followed.events.all('subscribed').at(-1)?.recovered, true);
      });

      test('DEL-9: a thousand missed publications come in pages', async (t) => {
        const name = channel('log:pages');
        const sdk = await connect(t, way);
        const followed = await sdk.follow(name);
        sdk.centrifuge.disconnect();
        for (let n = 1; n <= 900; n += 1) await node.server.publish(name, { n });
        sdk.centrifuge.connect();
        const seen = await followed.publications(900);
        assert.deepEqual(
          seen.map(({ offset }) => offset),
          Array.from({ length: 900 }, (_, i) => i + 1),
        );
      });

      test('CON-5: a token that runs out is refreshed on the living connection', async (t) => {
        let asked = 0;
        const soon = (): Promise<string> => {
          asked += 1;
          return node.token({ user: 'ann', expiresAtMs: Date.now() + 1_500 });
        };
        const { user: _none, ...anonymous } = over(way);
        const sdk = await connectSdk(t, way.codec, node, { ...anonymous, getToken: soon });
        await eventually(() => asked >= 2);
        await sdk.centrifuge.rpc('double', way.codec.pack({ n: 1 }));
        assert.equal(sdk.events.all('connected').length, 1);
      });

      test('a bad token, and an operator, end the connection for good, with their codes', async (t) => {
        const refused = await sdkFor(t, way.codec, node, { ...over(way), token: 'nonsense' });
        refused.centrifuge.connect();
        assert.deepEqual(await refused.events.next('disconnected'), { code: 3500, reason: 'invalid token' });
        const user = channel('eve');
        const sdk = await connect(t, way, { ...over(way), user });
        await node.server.disconnect(user);
        assert.deepEqual(await sdk.events.next('disconnected'), { code: 3503, reason: 'force disconnect' });
      });

      test('CON-3: a node that stops tells its streams, and is not held up by them', async (t) => {
        const other = await startNode({ namespaces: { room: {} } });
        t.after(() => other.close());
        const sdk = await connectSdk(t, way.codec, other, over(way, other.url));
        await other.close();
        const contexts = await sdk.events.count('connecting', 2);
        assert.equal(contexts[1]?.code, 3001);
      });
    });
  }
});

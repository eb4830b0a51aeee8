import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { TransportName } from '@tutti/client';
import {
  connectClient,
  eventually,
  HttpProxy,
  startNode,
  type ConnectClientOptions,
  type ConnectedClient,
  type StartedNode,
  type UpgradeFate,
} from '@tutti/testkit';
import type { Cleanup } from './official-sdk.ts';

/** Our own SDK where WebSocket does not get through. */

let node: StartedNode;

before(async () => {
  node = await startNode({
    namespaces: { log: { historySize: 1_000, presence: true } },
    settings: { pingIntervalMs: 1_000, pongTimeoutMs: 900 },
    rpc: { double: (data) => ({ twice: (data as { n: number }).n * 2 }) },
  });
});
after(() => node.close());

const all: readonly TransportName[] = ['websocket', 'http_stream', 'sse'];

async function officeProxy(t: Cleanup, upgrades: UpgradeFate): Promise<HttpProxy> {
  const proxy = await HttpProxy.start({ target: node, upgrades });
  t.after(() => proxy.close());
  return proxy;
}

async function connect(
  t: Cleanup,
  proxy: HttpProxy,
  options: Partial<ConnectClientOptions> = {},
): Promise<ConnectedClient> {
  const url = `${proxy.url}/connection/websocket`;
  const client = await connectClient(node, { user: 'ann', url, transports: all, timeoutMs: 2_000, ...options });
  t.after(() => client.close());
  return client;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

interface Way {
  readonly transport: TransportName;
  readonly codec: 'json' | 'protobuf';
}

const ways: readonly Way[] = [
  { transport: 'http_stream', codec: 'json' },
  { transport: 'http_stream', codec: 'protobuf' },
  { transport: 'sse', codec: 'json' },
];

describe('the SDK without WebSocket', { concurrency: true }, () => {
  for (const { transport, codec } of ways) {
    describe(`${transport} in ${codec}`, { concurrency: true }, () => {
      const channel = (name: string): string => `log:${name}-${transport}-${codec}`;
      const options = { transports: [transport], codec } as const;

      test('publishes, follows, asks and is asked as over WebSocket', async (t) => {
        const proxy = await officeProxy(t, 'refuse');
        const { tutti, events, follow } = await connect(t, proxy, options);
        assert.equal(tutti.transport, transport);
        assert.equal(events.all('connected')[0]?.transport, transport);
        const followed = await follow<{ n: number; text: string }>(channel('talk'));
        await Promise.all(upTo(200).map((n) => tutti.publish(channel('talk'), { n, text: 'ü€\n"😀' })));
        const seen = await followed.events.count('publication', 200);
        assert.deepEqual(
          seen.map(({ offset, data }) => [offset, data.n, data.text]),
          upTo(200).map((n) => [n, n, 'ü€\n"😀']),
        );
        assert.deepEqual(await tutti.rpc('double', { n: 21 }), { twice: 42 });
        assert.equal(Object.values(await tutti.presence(channel('talk'))).length, 1);
        assert.deepEqual(events.all('error'), []);
      });

      test('CON-1: pings are answered, and the connection stays', async (t) => {
        const proxy = await officeProxy(t, 'refuse');
        const { events, follow } = await connect(t, proxy, options);
        const followed = await follow(channel('idle'));
        const pongs = (): number => proxy.seen.filter((path) => path === '/emulation').length;
        await eventually(() => pongs() >= 4);
        await node.server.publish(channel('idle'), { n: 1 });
        await followed.events.count('publication', 1);
        assert.equal(events.all('connected').length, 1);
      });

      test('DEL-2: cuts lose nothing and double nothing, of what is published here and elsewhere', async (t) => {
        const proxy = await officeProxy(t, 'refuse');
        const { tutti, events, follow } = await connect(t, proxy, options);
        const followed = await follow<{ n: number }>(channel('cut'));
        for (let cut = 0; cut < 4; cut += 1) {
          const own = upTo(20).map((n) => tutti.publish(channel('cut'), { n: cut * 40 + n }));
          const others = upTo(20).map((n) => node.server.publish(channel('cut'), { n: cut * 40 + 20 + n }));
          proxy.cutAll();
          await Promise.all([...own, ...others]);
          await events.count('connected', cut + 2);
        }
        const seen = await followed.events.count('publication', 160);
        assert.deepEqual(
          seen.map(({ offset }) => offset),
          upTo(160),
        );
        assert.equal(new Set(seen.map(({ data }) => data.n)).size, 160);
        assert.deepEqual(followed.events.all('gap'), []);
      });
    });
  }

  for (const fate of ['refuse', 'swallow'] as const) {
    test(`CON-7: where a proxy would ${fate} WebSocket, HTTP is used by itself`, async (t) => {
      const proxy = await officeProxy(t, fate);
      const { tutti, follow, events } = await connect(t, proxy);
      assert.equal(tutti.transport, 'http_stream');
      assert.equal(events.all('connected').length, 1);
      const followed = await follow(`log:${fate}`);
      await tutti.publish(`log:${fate}`, { n: 1 });
      await followed.events.count('publication', 1);
      // It is remembered: the next connection does not go through that again.
      const before = proxy.seen.length;
      proxy.cutAll();
      await events.count('connected', 2);
      assert.ok(!proxy.seen.slice(before).includes('/connection/websocket'));
    });
  }

  test('CON-7: a constructor that throws is a way that does not work', async (t) => {
    const proxy = await officeProxy(t, 'pass');
    class Forbidden {
      constructor() {
        throw new Error('the page may not open it');
      }
    }
    const { tutti } = await connect(t, proxy, { WebSocket: Forbidden as never });
    assert.equal(tutti.transport, 'http_stream');
  });

  test('DEL-2, CON-7: from WebSocket to HTTP under publishing, nothing is lost and nothing doubled', async (t) => {
    const proxy = await officeProxy(t, 'pass');
    const { tutti, events, follow } = await connect(t, proxy);
    assert.equal(tutti.transport, 'websocket');
    const followed = await follow<{ n: number }>('log:switch');
    let published = 0;
    let isOver = false;
    const publishing = (async (): Promise<void> => {
      while (!isOver) {
        published += 1;
        const n = published;
        // Half by others, half by itself, with answers that the cut may take along.
        if (n % 2 === 0) await node.server.publish('log:switch', { n });
        else await tutti.publish('log:switch', { n });
      }
    })();
    await followed.events.count('publication', 20);
    proxy.upgrades = 'refuse';
    proxy.cutAll();
    await events.count('connected', 2);
    assert.equal(tutti.transport, 'http_stream');
    const at = followed.events.all('publication').length;
    await followed.events.count('publication', at + 20);
    isOver = true;
    await publishing;
    const seen = await followed.events.count('publication', published);
    assert.deepEqual(
      seen.map(({ offset }) => offset),
      upTo(published),
    );
    assert.deepEqual(
      seen.map(({ data }) => data.n),
      upTo(published),
    );
    assert.deepEqual(followed.events.all('gap'), []);
  });

  test('a frame that is too large is refused alone', async (t) => {
    const proxy = await officeProxy(t, 'refuse');
    const { tutti, follow } = await connect(t, proxy);
    const followed = await follow('log:large');
    await assert.rejects(tutti.publish('log:large', 'x'.repeat(100_000)), { code: 11 });
    await tutti.publish('log:large', { n: 1 });
    await followed.events.count('publication', 1);
  });
});

for (const { transport, codec } of ways) {
  test(`BP-2, DEL-2: heavy traffic over ${transport} in ${codec} arrives whole, and is confirmed`, async (t) => {
    const busy = await startNode({ namespaces: { log: { historySize: 1_000 } } });
    const proxy = await HttpProxy.start({ target: busy, upgrades: 'refuse' });
    const url = `${proxy.url}/connection/websocket`;
    const client = await connectClient(busy, { user: 'ann', url, transports: [transport], codec });
    t.after(async () => {
      client.close();
      await proxy.close();
      await busy.close();
    });
    const followed = await client.follow('log:heavy');
    const before = proxy.seen.length;
    const text = 'x'.repeat(10_000);
    for (const n of upTo(400)) await busy.server.publish('log:heavy', { n, text });
    const seen = await followed.events.count('publication', 400, 60_000);
    assert.deepEqual(
      seen.map(({ offset }) => offset),
      upTo(400),
    );
    assert.equal(client.events.all('connected').length, 1, 'it was never cut');
    const answers = proxy.seen.length - before;
    assert.ok(answers >= 4 && answers <= 250, `${answers} requests`);
  });
}

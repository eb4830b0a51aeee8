import assert from 'node:assert/strict';
import { request, type IncomingMessage } from 'node:http';
import { after, before, describe, test } from 'node:test';
import type { TransportName } from '@tutti/client';
import {
  connectClient,
  eventually,
  MemoryBusNetwork,
  PlainEventSource,
  SeededRandom,
  startHaproxy,
  startNginx,
  startNode,
  type RunningProxy,
  type StartedNode,
} from '@tutti/testkit';
import { MemoryBroker, SystemClock } from '@tutti/server/internal';
import { requireService } from '@tutti/testkit/services';

// The configurations of deploy/, with the real proxies. How they are kept alive over a long silence,
// and what a reload does, is in `npm run proof -- proxies`.

const proxies = [
  { name: 'nginx', service: await requireService('nginx'), start: startNginx },
  { name: 'haproxy', service: await requireService('haproxy'), start: startHaproxy },
] as const;

const settings = { allowAnonymous: true, trustedProxies: ['127.0.0.1'], pingIntervalMs: 1_500, pongTimeoutMs: 1_000 };
const namespaces = { log: { historySize: 100 } };
const timeout = 60_000;

const clock = new SystemClock();
const random = new SeededRandom(7);
const network = new MemoryBusNetwork(clock, random.fork());

/** Each has channels of its own; over the bus, what belongs to a stream finds its node. */
function startOne(nodeName: string): Promise<StartedNode> {
  return startNode({
    namespaces,
    settings: { ...settings, nodeName, clusterSecret: 'a secret that both nodes of this test know' },
    engine: { broker: new MemoryBroker({ clock, random }), bus: network.bus(nodeName), mayLoseLive: () => false },
  });
}

for (const { name, service, start } of proxies) {
  const skip = 'skip' in service ? service.skip : false;

  describe(`behind ${name}`, { skip, timeout }, () => {
    let nodes: StartedNode[] = [];
    let proxy: RunningProxy;
    before(async () => {
      if (!('path' in service)) return;
      nodes = [await startOne(`${name}-1`), await startOne(`${name}-2`)];
      proxy = await start({ path: service.path, targets: nodes.map(({ port }) => port), idleSeconds: 3 });
    });
    after(async () => {
      await proxy.close();
      for (const node of nodes) await node.close();
    });

    const connections = (): number[] => nodes.map(({ server }) => server.figures().connections);
    const publish = (channel: string, n: number): Promise<unknown> =>
      Promise.all(nodes.map(({ server }) => server.publish(channel, { n })));

    for (const transport of ['websocket', 'http_stream', 'sse'] as const satisfies TransportName[]) {
      test(`${transport} goes through both ways, and stays over more than one time-out of silence`, async (t) => {
        const channel = `log:${transport}`;
        const url = `${proxy.url}/connection/websocket`;
        const client = await connectClient(nodes[0]!, { user: 'ann', url, transports: [transport] });
        t.after(() => client.close());
        const { events } = await client.follow(channel);
        await client.tutti.publish(channel, { n: 1 });
        await events.count('publication', 1);
        // A promise about time: twice the silence that the proxy allows, kept by pings.
        await new Promise((resolve) => setTimeout(resolve, 7_000));
        await publish(channel, 2);
        await events.count('publication', 2);
        assert.equal(client.events.all('connected').length, 1);
      });
    }

    test('server-sent events and polls arrive when they are sent', async (t) => {
      const source = new PlainEventSource(`${proxy.url}/connection/uni_sse?channels=log:events`);
      t.after(() => source.close());
      await eventually(() => source.lastEventId !== '');
      await publish('log:events', 1);
      await eventually(() => source.events.length === 1);
      const url = `${proxy.url}/connection/poll?channels=log:polled&wait=2`;
      const answer = await fetch(url);
      assert.equal(answer.status, 200);
      assert.match(answer.headers.get('etag') ?? '', /^"[\w-]+"$/);
    });

    test('connections are spread over the nodes', async (t) => {
      const url = `${proxy.url}/connection/websocket`;
      const clients = await Promise.all(
        Array.from({ length: 8 }, () => connectClient(nodes[0]!, { user: 'ann', url })),
      );
      t.after(() => clients.forEach((client) => client.close()));
      const [first = 0, second = 0] = connections();
      assert.ok(first >= 2 && second >= 2, `${first} and ${second}`);
    });

    test('S28: metrics and readiness are not for the outside', async () => {
      for (const path of ['/metrics', '/ready']) assert.equal((await fetch(`${proxy.url}${path}`)).status, 404);
      assert.equal((await fetch(`${proxy.url}/health`)).status, 200);
    });
  });

  test(`${name}: limits count the client, not the proxy`, { skip, timeout }, async (t) => {
    if (!('path' in service)) return;
    const node = await startNode({ namespaces, settings: { ...settings, connectionsPerAddressMax: 1 } });
    t.after(() => node.close());
    const proxy = await start({ path: service.path, targets: [node.port] });
    t.after(() => proxy.close());
    const url = `${proxy.url}/connection/uni_sse?channels=log:a`;
    // Not from the address of the proxy, which the node believes.
    const holder = await open('127.0.0.2', url);
    assert.equal(await statusFrom('127.0.0.2', url), 503, 'the one place of this address is taken');
    assert.equal(await statusFrom('127.0.0.3', url), 200, 'another has its own');
    // Whoever claims another's address is still counted as itself.
    assert.equal(await statusFrom('127.0.0.2', url, { 'X-Forwarded-For': '198.51.100.7' }), 503);
    holder.destroy();
  });

  test(
    `${name}: a node that does not answer gets nothing more, and its clients go on elsewhere`,
    { skip, timeout },
    async (t) => {
      if (!('path' in service)) return;
      const nodes = [await startNode({ namespaces, settings }), await startNode({ namespaces, settings })] as const;
      t.after(() => Promise.all(nodes.map((node) => node.close())));
      const proxy = await start({ path: service.path, targets: nodes.map(({ port }) => port) });
      t.after(() => proxy.close());
      const url = `${proxy.url}/connection/websocket`;
      const clients = await Promise.all(Array.from({ length: 6 }, () => connectClient(nodes[0], { user: 'ann', url })));
      t.after(() => clients.forEach((client) => client.close()));
      const [gone, left] = nodes;
      assert.ok(gone.server.figures().connections > 0);
      await gone.close();
      await eventually(() => left.server.figures().connections === 6);
      await eventually(() => clients.every(({ tutti }) => tutti.state === 'connected'));
    },
  );
}

/** A request from an address of this machine, as soon as it is answered. */
function open(localAddress: string, url: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request(url, { localAddress, headers, agent: false }, resolve);
    asked.on('error', reject);
    asked.end();
  });
}

async function statusFrom(localAddress: string, url: string, headers?: Record<string, string>): Promise<number> {
  const response = await open(localAddress, url, headers);
  response.destroy();
  return response.statusCode ?? 0;
}

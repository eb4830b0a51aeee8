import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, startFaultProxy, startNode, type FaultProxy, type StartedNode } from '@tutti/testkit';
import { connectSdk, withBothCodecs, type Cleanup } from './official-sdk.ts';

let node: StartedNode;

before(async () => {
  node = await startNode({
    namespaces: { room: { presence: true, joinLeave: true, historySize: 100 } },
    settings: { pingIntervalMs: 1_000, pongTimeoutMs: 800 },
  });
});
after(() => node.close());

async function proxied(t: Cleanup): Promise<{ proxy: FaultProxy; url: string }> {
  const proxy = await startFaultProxy({ target: { port: node.port } });
  t.after(() => proxy.close());
  return { proxy, url: node.wsUrl.replace(`:${node.port}/`, `:${proxy.port}/`) };
}

withBothCodecs('heartbeat', (codec) => {
  const channel = (name: string): string => `room:${name}-${codec.name}`;

  test('CON-1: a client that answers its pings stays', async (t) => {
    const { proxy, url } = await proxied(t);
    const sdk = await connectSdk(t, codec, node, { user: 'ann', url });
    // Nothing else is sent upwards: pongs alone, for longer than the server would wait for one.
    const start = proxy.passed('up');
    // A masked frame with a payload of two characters, or of the length 0.
    const pongBytes = codec.name === 'json' ? 6 + 2 : 6 + 1;
    await eventually(() => proxy.passed('up') >= start + 3 * pongBytes, { what: 'three pongs' });
    assert.equal(sdk.events.all('connected').length, 1);
    assert.equal(sdk.centrifuge.state, 'connected');
  });

  test('CON-1: a client in a black hole is closed, and gone from presence', async (t) => {
    const { proxy, url } = await proxied(t);
    const ann = await connectSdk(t, codec, node, { user: 'ann' });
    const atAnn = await ann.follow(channel('hole'));
    const bob = await connectSdk(t, codec, node, { user: 'bob', url });
    await bob.follow(channel('hole'));
    assert.equal((await ann.centrifuge.presenceStats(channel('hole'))).numClients, 2);
    proxy.set({ blackHole: 'both' });
    assert.equal((await atAnn.events.next('leave')).info.user, 'bob');
    assert.equal((await ann.centrifuge.presenceStats(channel('hole'))).numClients, 1);
  });

  test('CON-1: a client whose answers get lost is told 3012, and comes back', async (t) => {
    const { proxy, url } = await proxied(t);
    const sdk = await connectSdk(t, codec, node, { user: 'ann', url });
    const followed = await sdk.follow(channel('one-way'));
    proxy.set({ blackHole: 'up' });
    await sdk.events.count('connecting', 2);
    assert.deepEqual(sdk.events.all('connecting')[1], { code: 3012, reason: 'no pong' });
    proxy.heal();
    await sdk.events.count('connected', 2);
    await node.server.publish(channel('one-way'), 'back');
    assert.equal((await followed.publications(1))[0]?.value, 'back');
  });

  test('CON-4: a client notices a server in a black hole, comes back another way, and recovers', async (t) => {
    const { proxy, url } = await proxied(t);
    const sdk = await connectSdk(t, codec, node, { user: 'ann', url, maxServerPingDelay: 1_000 });
    const followed = await sdk.follow(channel('silent'));
    proxy.set({ blackHole: 'both' });
    await node.server.publish(channel('silent'), 'into the hole');
    await sdk.events.count('connecting', 2);
    assert.deepEqual(sdk.events.all('connecting')[1], { code: 2, reason: 'no ping' });
    proxy.heal();
    await sdk.events.count('connected', 2);
    assert.deepEqual(await followed.publications(1), [{ offset: 1, value: 'into the hole' }]);
  });
});

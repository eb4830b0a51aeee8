import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { connectClient, eventually, spawnNode, startNatsCluster, type SpawnedNode } from '@tutti/testkit';
import { requireService } from '@tutti/testkit/services';

const timeout = 90_000;
const service = await requireService('nats-server');
const skip = 'skip' in service ? service : {};
const program = 'path' in service ? service.path : '';
const namespaces = {
  log: { durable: true, historySize: 100, allowSubscribe: 'user', allowPublish: 'user' },
  live: { allowSubscribe: 'user', allowPublish: 'user' },
} as const;

async function statusOf(node: SpawnedNode, path: string): Promise<number> {
  return (await fetch(node.url + path)).status;
}

test('two nodes share channels through NATS: what one is told, the other tells', { ...skip, timeout }, async (t) => {
  const nats = await startNatsCluster({ program });
  t.after(() => nats.close());
  const options = { settings: { engine: nats.url }, namespaces };
  const [a, b] = await Promise.all([spawnNode(options), spawnNode(options)]);
  t.after(() => Promise.all([a.close(), b.close()]));
  const [ann, bob] = [await connectClient(a, { user: 'ann' }), await connectClient(b, { user: 'bob' })];
  t.after(() => {
    ann.close();
    bob.close();
  });
  for (const channel of ['log:room', 'live:room']) {
    const { events } = await ann.follow(channel);
    // Another server may hear of the subscription a moment later than ours.
    await eventually(async () => {
      await bob.tutti.publish(channel, 'hello');
      return events.all('publication').length > 0;
    });
  }
  for (const node of [a, b]) assert.equal(await statusOf(node, '/ready'), 200);
});

test('CON-6: what is revoked at one node is refused by the other', { ...skip, timeout }, async (t) => {
  const nats = await startNatsCluster({ program });
  t.after(() => nats.close());
  const key = 'a-key-of-a-test-that-may-do-all';
  const options = {
    settings: { engine: nats.url, apiKeys: [{ name: 'all', key, allow: ['*'] }], revocationPollIntervalMs: 200 },
    namespaces,
  };
  const [a, b] = await Promise.all([spawnNode(options), spawnNode(options)]);
  t.after(() => Promise.all([a.close(), b.close()]));
  const bob = await connectClient(b, { user: 'bob' });
  t.after(() => bob.close());
  const revoked = await fetch(`${a.url}/api/revoke`, {
    method: 'POST',
    headers: { 'x-api-key': key, 'content-type': 'application/json' },
    body: JSON.stringify({ user: 'bob' }),
  });
  assert.deepEqual(await revoked.json(), { result: {} });
  await eventually(() => bob.tutti.state === 'disconnected');
  assert.equal(existsSync(join(a.dataDir, 'revocations.db')), false, 'the list is with the engine');
});

test('NATS down at start: the node starts, is not ready, and becomes so', { ...skip, timeout }, async (t) => {
  const nats = await startNatsCluster({ program, started: false });
  t.after(() => nats.close());
  const settings = { engine: nats.url, canaryIntervalMs: 200 };
  const node = await spawnNode({ settings, namespaces });
  t.after(() => node.close());
  assert.deepEqual([await statusOf(node, '/health'), await statusOf(node, '/ready')], [200, 503]);
  await nats.start();
  await eventually(async () => (await statusOf(node, '/ready')) === 200, { withinMs: 30_000 });
  assert.ok(node.isRunning);
});

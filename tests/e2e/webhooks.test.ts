import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { MemoryBroker, SystemClock } from '@tutti/server/internal';
import {
  connectClient,
  eventually,
  freePort,
  MemoryBusNetwork,
  SeededRandom,
  spawnNode,
  startNode,
  type StartedNode,
} from '@tutti/testkit';
import { WebhookReceiver } from '@tutti/testkit/webhook-receiver';

const timeout = 60_000;
const everything = [
  'connected',
  'disconnected',
  'subscribed',
  'unsubscribed',
  'occupied',
  'vacated',
  'published',
] as const;
const namespaces = { chat: { historySize: 100 }, bytes: { payload: 'binary' }, quiet: {} } as const;

function webhook(receiver: Pick<WebhookReceiver, 'url' | 'secret'>, more: object = {}) {
  const { url, secret } = receiver;
  return { name: 'app', url, secrets: [secret], events: everything, batchMax: 100, batchDelayMs: 20, ...more };
}

async function receiverFor(t: TestContext): Promise<WebhookReceiver> {
  const receiver = await WebhookReceiver.start();
  t.after(() => receiver.close());
  return receiver;
}

async function nodeFor(t: TestContext, settings: object): Promise<StartedNode> {
  const node = await startNode({ settings: { webhookNetworks: ['127.0.0.0/8'], ...settings }, namespaces });
  t.after(() => node.close());
  return node;
}

test('a webhook is told what happens, in order, signed, each event with an id of its own', { timeout }, async (t) => {
  const receiver = await receiverFor(t);
  const node = await nodeFor(t, { webhooks: [webhook(receiver)] });
  const ann = await connectClient(node, { user: 'ann', claims: { info: { name: 'Ann' } } });
  const { subscription } = await ann.follow('chat:general');
  await subscription.publish({ text: 'hello\u2028', big: 2 });
  await node.server.publish('bytes:x', new Uint8Array([0, 10, 255]));
  ann.close();
  const events = await receiver.received(8);
  const byType = new Map(events.map((event) => [event.type, event]));
  assert.deepEqual(
    events.map(({ type, channel }) => (typeof channel === 'string' ? `${type} ${channel}` : type)),
    [
      'connected',
      'occupied chat:general',
      'subscribed chat:general',
      'published chat:general',
      'published bytes:x',
      'unsubscribed chat:general',
      'vacated chat:general',
      'disconnected',
    ],
  );
  assert.ok(receiver.requests.every(({ isSigned }) => isSigned));
  assert.equal(new Set(events.map(({ id }) => id)).size, 8);
  const { client, address, transport, codec, info } = byType.get('connected')!;
  assert.deepEqual([address, transport, codec, info], ['127.0.0.1', 'websocket', 'json', { name: 'Ann' }]);
  assert.equal(byType.get('disconnected')?.['client'], client);
  const published = events[3]!;
  assert.deepEqual(
    [published['data'], published['offset'], published['user']],
    [{ text: 'hello\u2028', big: 2 }, 1, 'ann'],
  );
  assert.equal(events[4]?.['b64data'], 'AAr/');
  assert.ok(Math.abs(Number(byType.get('connected')?.['time']) - Date.now()) < timeout);
});

test('a webhook is told only what it asked for, of the namespaces it asked for', { timeout }, async (t) => {
  const [all, some] = [await receiverFor(t), await receiverFor(t)];
  const node = await nodeFor(t, {
    webhooks: [
      webhook(all, { name: 'all', events: ['connected', 'published'] }),
      webhook(some, { name: 'some', events: ['published', 'subscribed'], namespaces: ['quiet'] }),
    ],
  });
  const ann = await connectClient(node, { user: 'ann' });
  t.after(() => ann.close());
  await ann.follow('chat:a');
  await ann.follow('quiet:a');
  await node.server.publish('chat:a', 1);
  await node.server.publish('quiet:a', 2);
  const kinds = (events: readonly { type: string; channel?: unknown }[]): string[] =>
    events.map(({ type, channel }) => `${type} ${String(channel)}`);
  assert.deepEqual(kinds(await some.received(2)), ['subscribed quiet:a', 'published quiet:a']);
  assert.deepEqual(kinds(await all.received(3)), ['connected undefined', 'published chat:a', 'published quiet:a']);
  const ids = (receiver: WebhookReceiver): unknown[] =>
    receiver.events.filter(({ data }) => data === 2).map(({ id }) => id);
  assert.deepEqual(ids(all), ids(some), 'one event has one id, whoever is told');
});

test('BP-5: a webhook that never answers takes neither time nor memory from delivery', { timeout }, async (t) => {
  const receiver = await receiverFor(t);
  receiver.answer = () => undefined;
  const webhookQueueBytesMax = 64 * 1024;
  const node = await nodeFor(t, { webhooks: [webhook(receiver)], webhookQueueBytesMax });
  const ann = await connectClient(node, { user: 'ann' });
  t.after(() => ann.close());
  const { events } = await ann.follow<number>('chat:a');
  const count = 3_000;
  for (let n = 1; n <= count; n += 1) await node.server.publish('chat:a', n);
  await events.count('publication', count);
  const metrics = await (await fetch(node.server.metricsUrl)).text();
  const metric = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(metrics)?.[1]);
  assert.ok(metric('tutti_webhook_queue_bytes') <= webhookQueueBytesMax);
  const dead = metric('tutti_webhook_events_dead_total{reason="overflow"}');
  const offered = metric('tutti_webhook_events_total{webhook="app"}');
  assert.equal(dead + metric('tutti_webhook_queue_events'), offered);
  const file = join(node.dataDir, 'webhooks/app/dead-letters.jsonl');
  const read = async (): Promise<string[]> => (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '');
  await eventually(async () => (await read()).length === dead);
  const lines = await read();
  assert.equal((JSON.parse(lines[0] ?? '') as { event: { type: string } }).event.type, 'connected', 'the oldest first');
});

test(
  'events that wait survive kill -9 of the node, and are told once the receiver is back; none is told of twice where it was answered',
  { timeout },
  async (t) => {
    const port = await freePort();
    const secret = 'a webhook secret of at least 32 bytes';
    const node = await spawnNode({
      settings: {
        webhooks: [webhook({ url: `http://127.0.0.1:${port}/`, secret }, { events: ['connected', 'published'] })],
        webhookNetworks: ['127.0.0.1'],
      },
      namespaces: { chat: { historySize: 100, durable: true } },
    });
    t.after(() => node.close());
    const ann = await connectClient(node, { user: 'ann' });
    t.after(() => ann.close());
    const { subscription } = await ann.follow('chat:a');
    for (let n = 1; n <= 20; n += 1) await subscription.publish(n);
    // Nobody listens yet. When the spool has them, the node dies.
    const spool = join(node.dataDir, 'webhooks/app/spool-00000001.jsonl');
    await eventually(async () => existsSync(spool) && (await readFile(spool, 'utf8')).split('\n').length === 22);
    await node.kill();
    const receiver = await WebhookReceiver.start(secret, port);
    t.after(() => receiver.close());
    await node.restart();
    await receiver.received(21);
    const published = receiver.events.filter(({ type }) => type === 'published');
    assert.deepEqual(
      published.map(({ data }) => data),
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
    await eventually(() => !existsSync(spool));
    assert.equal(await node.stop(), 0);
    const ids = receiver.events.map(({ id }) => id);
    assert.equal(new Set(ids).size, ids.length);
  },
);

test('a node that stops tells the ends of its connections before it is gone', { timeout }, async (t) => {
  const receiver = await receiverFor(t);
  const node = await nodeFor(t, { webhooks: [webhook(receiver, { batchDelayMs: 60_000 })] });
  const ann = await connectClient(node, { user: 'ann' });
  t.after(() => ann.close());
  await node.server.close();
  const types = receiver.events.map(({ type, code }) => (typeof code === 'number' ? `${type} ${code}` : type));
  assert.deepEqual(types, ['connected', 'disconnected 3001']);
});

test(
  'S11: with tenants, a webhook is told whose channel it is, by the name that its tenant knows',
  { timeout },
  async (t) => {
    const receiver = await receiverFor(t);
    const events = ['connected', 'subscribed', 'published'];
    const node = await nodeFor(t, {
      tenantClaim: 'org',
      webhooks: [webhook(receiver, { events, namespaces: ['chat'] })],
    });
    const ann = await connectClient(node, { user: 'ann', claims: { tenant: { claim: 'org', name: 'acme' } } });
    t.after(() => ann.close());
    const { subscription } = await ann.follow('chat:a');
    await subscription.publish(1);
    for (const event of await receiver.received(3)) {
      assert.deepEqual([event['tenant'], event['user'], event['channel'] ?? 'chat:a'], ['acme', 'ann', 'chat:a']);
    }
  },
);

test(
  'in a cluster a channel is occupied and vacated once, whichever nodes its subscribers are on',
  { timeout },
  async (t) => {
    const receiver = await receiverFor(t);
    const [clock, random] = [new SystemClock(), new SeededRandom(13)];
    const network = new MemoryBusNetwork(clock, random.fork());
    const nodes: StartedNode[] = [];
    for (const nodeName of ['a', 'b']) {
      const node = await startNode({
        namespaces,
        settings: {
          ...{ nodeName, clusterSecret: 'x'.repeat(32), webhookNetworks: ['127.0.0.0/8'] },
          webhooks: [webhook(receiver, { events: ['occupied', 'vacated'] })],
        },
        engine: { broker: new MemoryBroker({ clock, random }), bus: network.bus(nodeName), mayLoseLive: () => false },
      });
      t.after(() => node.close());
      nodes.push(node);
    }
    const seen = (): string[] =>
      receiver.requests.flatMap(({ events }) => events.map(({ type, channel }) => `${type} ${String(channel)}`));
    const [first, second] = await Promise.all(nodes.map((node) => connectClient(node, { user: 'ann' })));
    await second!.follow('chat:1');
    await eventually(() => seen().length === 1);
    await first!.follow('chat:1');
    second!.close();
    await first!.follow('chat:2');
    await eventually(() => seen().includes('occupied chat:2'));
    first!.close();
    await eventually(() => seen().length === 4);
    assert.deepEqual(seen().slice(0, 2), ['occupied chat:1', 'occupied chat:2']);
    assert.deepEqual(seen().slice(2).sort(), ['vacated chat:1', 'vacated chat:2']);
  },
);

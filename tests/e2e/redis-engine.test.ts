import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import {
  connectClient,
  eventually,
  redisMissing,
  spawnNode,
  startNode,
  startRedis,
  type RedisServer,
  type StartedNode,
} from '@tutti/testkit';

const missing = await redisMissing();
const options = { timeout: 90_000, ...(missing === undefined ? {} : { skip: missing }) };
const namespaces = {
  log: { historySize: 1_000, presence: true },
  live: {},
  safe: { historySize: 1_000, durable: true },
} as const;

let redis: RedisServer;
const nodes: StartedNode[] = [];

before(async () => {
  if (missing !== undefined) return;
  redis = await startRedis();
  for (const nodeName of ['one', 'two']) {
    nodes.push(await startNode({ settings: { engine: redis.url, nodeName }, namespaces }));
  }
});
after(async () => {
  await Promise.all(nodes.map((node) => node.close()));
  if (missing === undefined) await redis.close();
});

async function onBoth(channel: string) {
  const [one, two] = nodes as [StartedNode, StartedNode];
  const ann = await connectClient(one, { user: 'ann' });
  const bob = await connectClient(two, { user: 'bob' });
  const close = (): void => {
    ann.close();
    bob.close();
  };
  return { one, two, close, followed: [await ann.follow(channel), await bob.follow(channel)] };
}

for (const channel of ['log:room', 'live:room', 'safe:room']) {
  test(`DEL-4: two nodes on Redis deliver ${channel} to both, in one order`, options, async (t) => {
    const { one, two, close, followed } = await onBoth(channel);
    t.after(close);
    const texts = Array.from({ length: 100 }, (_, i) => `${i}`);
    await Promise.all(texts.map((text, i) => (i % 2 === 0 ? one : two).server.publish(channel, text)));
    const seen: unknown[][] = [];
    for (const { events } of followed) {
      await eventually(() => events.all('publication').length === texts.length);
      seen.push(events.all('publication').map(({ data }) => data));
    }
    assert.deepEqual(seen[0], seen[1]);
    assert.deepEqual(seen[0]?.toSorted(), texts.toSorted());
  });
}

test('who is on another node is there, too', options, async (t) => {
  const { two, close } = await onBoth('log:there');
  t.after(close);
  const users = async (): Promise<string[]> => {
    const members = await two.server.presence('log:there');
    return members.map(({ user }) => user).toSorted();
  };
  await eventually(async () => (await users()).join() === 'ann,bob');
});

test(
  'Redis down at start, and lost later: the node stays, not ready, and is ready when Redis is there',
  options,
  async (t) => {
    const server = await startRedis({ persistence: 'always' });
    t.after(() => server.close());
    await server.kill();
    const node = await spawnNode({ settings: { engine: server.url, canaryIntervalMs: 200 }, namespaces });
    t.after(() => node.close());
    const status = async (): Promise<number> => (await fetch(`${node.url}/ready`)).status;
    assert.equal(await status(), 503);
    await server.restart();
    await eventually(async () => (await status()) === 200, { withinMs: 30_000 });
    const ann = await connectClient(node, { user: 'ann' });
    t.after(() => ann.close());
    const followed = await ann.follow('safe:room');
    const { pid } = node;
    await server.kill();
    await eventually(async () => (await status()) === 503, { withinMs: 30_000 });
    for (const channel of ['safe:room', 'live:room']) {
      await assert.rejects(ann.tutti.publish(channel, 'lost'), (error) => {
        assert.equal((error as { temporary?: boolean }).temporary, true, String(error));
        return true;
      });
    }
    assert.equal(ann.events.all('connected').length, 1, 'the connection stays');
    await server.restart();
    await eventually(async () => (await status()) === 200, { withinMs: 30_000 });
    // It starts again in the new epoch, told of it; what is published from then on comes.
    await followed.events.next('gap');
    await ann.tutti.publish('safe:room', 'again');
    await eventually(() => followed.events.all('publication').some(({ data }) => data === 'again'));
    assert.equal(ann.events.all('connected').length, 1, 'the connection stays');
    assert.deepEqual([node.isRunning, node.pid], [true, pid]);
  },
);

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectClient } from './connect-client.ts';
import { eventually } from './eventually.ts';
import { spawnNode } from './spawn-node.ts';

const namespaces = { room: { historySize: 100, durable: true, presence: true } };

test('DEL-5: what was acknowledged on a durable channel is there after SIGKILL and restart', async () => {
  const node = await spawnNode({ namespaces });
  try {
    const client = await connectClient(node, { user: 'ann' });
    try {
      const { events } = await client.follow('room:a');
      const first = await client.tutti.publish('room:a', { n: 1 });
      const { pid } = node;
      await node.kill();
      assert.equal(node.isRunning, false);
      await node.restart();
      assert.notEqual(node.pid, pid);
      const second = await client.tutti.publish('room:a', { n: 2 });
      assert.deepEqual([first.offset, second.offset, second.epoch], [1, 2, first.epoch]);
      const seen = await events.count('publication', 2);
      assert.deepEqual(
        seen.map(({ data }) => data),
        [{ n: 1 }, { n: 2 }],
      );
    } finally {
      client.close();
    }
  } finally {
    await node.close();
  }
});

test('CON-3: SIGTERM ends connections with the advice to come back, and the process with 0', async () => {
  const node = await spawnNode({ namespaces });
  try {
    const client = await connectClient(node, { user: 'ann' });
    try {
      assert.equal(await node.stop(), 0);
      const left = await eventually(() => client.events.all('state').find((change) => change.from === 'connected'));
      assert.equal(left.code, 3001);
    } finally {
      client.close();
    }
  } finally {
    await node.close();
  }
});

test('a node that cannot start says why', async () => {
  await assert.rejects(
    spawnNode({ settings: { pingIntervalMs: 1 } }),
    /ended with 1 before it listened:[^]*pingInterval/,
  );
});

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { connectClient } from './connect-client.ts';
import { startNode } from './start-node.ts';

for (const codec of ['json', 'protobuf'] as const) {
  test(`a node of the test's own, and a client of it, ${codec}`, async () => {
    const node = await startNode({ namespaces: { room: { historySize: 10 } }, rpc: { echo: (data) => data } });
    try {
      const client = await connectClient(node, { user: 'ann', codec, claims: { channels: ['room:given'] } });
      try {
        const { events } = await client.follow('room:a');
        await node.server.publish('room:a', { hello: 'world' });
        assert.deepEqual((await events.next('publication')).data, { hello: 'world' });
        await node.server.publish('room:given', 1);
        assert.equal((await client.events.next('publication')).channel, 'room:given');
        assert.deepEqual(await client.tutti.rpc('echo', [1]), [1]);
      } finally {
        client.close();
      }
    } finally {
      await node.close();
    }
    assert.equal(existsSync(node.dataDir), false);
  });
}

test('a client that is not taken leaves nothing open', async () => {
  const node = await startNode();
  try {
    await assert.rejects(connectClient(node, { user: 'ann', token: 'nonsense' }), /disconnected/);
  } finally {
    await node.close();
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectClient, spawnNode } from '@tutti/testkit';
import { connectSdk, withBothCodecs } from './official-sdk.ts';

withBothCodecs('the node is killed and comes back', (codec) => {
  test('DEL-5, DEL-3: durable channels go on where they were; others begin a new epoch, and clients are told', async (t) => {
    const node = await spawnNode({
      namespaces: { kept: { historySize: 100, durable: true }, lost: { historySize: 100 } },
    });
    t.after(() => node.close());
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    const kept = await sdk.follow('kept:a');
    const lost = await sdk.follow('lost:a');
    for (const channel of ['kept:a', 'lost:a']) await sdk.publish(channel, 'before');
    await kept.publications(1);
    await lost.publications(1);
    await node.kill();
    await sdk.events.count('connecting', 2);
    await node.restart();
    // Published before the SDK is back, or after: it makes no difference to who recovers.
    const other = await connectClient(node, { user: 'bob' });
    t.after(() => other.close());
    for (const channel of ['kept:a', 'lost:a']) await other.tutti.publish(channel, 'after');
    await kept.events.count('subscribed', 2);
    await lost.events.count('subscribed', 2);
    const [before, again] = kept.events.all('subscribed');
    assert.equal(again?.recovered, true);
    assert.equal(again.streamPosition?.epoch, before?.streamPosition?.epoch);
    assert.deepEqual(await kept.publications(2), [
      { offset: 1, value: 'before' },
      { offset: 2, value: 'after' },
    ]);
    const [old, fresh] = lost.events.all('subscribed');
    assert.equal(fresh?.recovered, false);
    assert.notEqual(fresh.streamPosition?.epoch, old?.streamPosition?.epoch);
    assert.equal(await node.stop(), 0);
  });
});

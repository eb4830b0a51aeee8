import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { disconnects, isReconnectCode, unsubscribes, type DisconnectKind } from '@tutti/protocol';
import { startNode, type StartedNode } from '@tutti/testkit';
import { connectSdk, withBothCodecs } from './official-sdk.ts';

let node: StartedNode;

before(async () => {
  node = await startNode({ namespaces: { log: { historySize: 100 }, room: {} } });
});
after(() => node.close());

const ofApplications: DisconnectKind[] = [4000, 4499, 4500, 4999].map((code) => ({
  code,
  reason: `application ${code}`,
  meaning: '',
}));

withBothCodecs('close codes', (codec) => {
  for (const kind of [...Object.values(disconnects), ...ofApplications]) {
    const { code, reason } = kind;
    const user = `user-${code}-${codec.name}`;
    const channel = `log:${code}-${codec.name}`;

    if (isReconnectCode(code)) {
      test(`${code} ${reason}: the SDK comes back, and recovers`, async (t) => {
        let asked = 0;
        const sdk = await connectSdk(t, codec, node, {
          getToken: () => {
            asked += 1;
            return node.token({ user });
          },
        });
        const { events } = await sdk.follow(channel);
        await node.server.publish(channel, 1);
        await events.next('publication');
        assert.equal((await node.server.disconnect(user, kind)).count, 1);
        await sdk.events.count('connecting', 2);
        assert.deepEqual(sdk.events.all('connecting')[1], { code, reason });
        await node.server.publish(channel, 2);
        await sdk.events.count('connected', 2);
        await events.count('subscribed', 2);
        assert.deepEqual(sdk.events.all('disconnected'), []);
        const again = events.all('subscribed')[1];
        // Of state invalidated the SDK lets everything go: its token and its positions.
        const isInvalidated = code === disconnects.stateInvalidated.code;
        assert.deepEqual(
          [asked, again?.wasRecovering, again?.recovered],
          [isInvalidated ? 2 : 1, true, !isInvalidated],
        );
        if (isInvalidated) await node.server.publish(channel, 3);
        const seen = await events.count('publication', 2);
        assert.deepEqual(sdk.values(seen), [1, isInvalidated ? 3 : 2]);
      });
    } else {
      test(`${code} ${reason}: the SDK stops`, async (t) => {
        const sdk = await connectSdk(t, codec, node, { user });
        const { subscription, events } = await sdk.follow(channel);
        assert.equal((await node.server.disconnect(user, kind)).count, 1);
        assert.deepEqual(await sdk.events.next('disconnected'), { code, reason });
        assert.equal(sdk.events.all('connecting').length, 1);
        // It waits for the application to connect again.
        assert.equal(subscription.state, 'subscribing');
        sdk.centrifuge.connect();
        await events.next('subscribed');
      });
    }
  }

  test('1001 or a lost connection: the SDK comes back', async (t) => {
    const other = await startNode({ namespaces: { room: {} } });
    t.after(() => other.close());
    const sdk = await connectSdk(t, codec, other, { user: 'ann' });
    await other.server.close();
    await sdk.events.count('connecting', 2);
    assert.deepEqual(sdk.events.all('connecting')[1], { code: 3001, reason: 'shutdown' });
    await sdk.events.next('error');
    assert.equal(sdk.centrifuge.state, 'connecting', 'it goes on trying');
  });
});

withBothCodecs('unsubscribe codes', (codec) => {
  for (const kind of [unsubscribes.server, unsubscribes.insufficientState, unsubscribes.expired]) {
    const { code, reason } = kind;
    const user = `user-${code}-${codec.name}`;
    const channel = `log:${code}-${codec.name}`;
    test(`${code} ${reason}: the SDK ${code < 2500 ? 'lets the channel go' : 'subscribes again, and recovers'}`, async (t) => {
      const sdk = await connectSdk(t, codec, node, { user });
      const { events, subscription } = await sdk.follow(channel);
      await node.server.publish(channel, 1);
      await events.next('publication');
      assert.equal((await node.server.unsubscribe(user, channel, kind)).count, 1);
      await node.server.publish(channel, 2);
      if (code < 2500) {
        assert.deepEqual(await events.next('unsubscribed'), { channel, code, reason });
        // A later answer on the same connection: what was published meanwhile would have come before it.
        await sdk.publish(channel, 3);
        assert.deepEqual(sdk.values(events.all('publication')), [1]);
        assert.equal(subscription.state, 'unsubscribed');
      } else {
        await events.count('subscribed', 2);
        assert.deepEqual(events.all('subscribing')[1], { channel, code, reason });
        assert.equal(events.all('subscribed')[1]?.recovered, true);
        assert.deepEqual(sdk.values(await events.count('publication', 2)), [1, 2]);
      }
      assert.equal(sdk.events.all('connected').length, 1, 'the connection goes on');
    });
  }

  test('2502 state invalidated: the SDK subscribes again from now', async (t) => {
    const user = `user-2502-${codec.name}`;
    const channel = `log:2502-${codec.name}`;
    const sdk = await connectSdk(t, codec, node, { user });
    const { events } = await sdk.follow(channel);
    await node.server.publish(channel, 1);
    await events.next('publication');
    await node.server.unsubscribe(user, channel, unsubscribes.stateInvalidated);
    await events.count('subscribed', 2);
    assert.equal(events.all('subscribed')[1]?.recovered, false);
    await node.server.publish(channel, 2);
    assert.deepEqual(sdk.values(await events.count('publication', 2)), [1, 2]);
  });
});

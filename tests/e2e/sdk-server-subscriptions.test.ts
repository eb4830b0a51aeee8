import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { disconnects, unsubscribes } from '@tutti/protocol';
import { eventually, startFaultProxy, startNode, type StartedNode } from '@tutti/testkit';
import { connectSdk, withBothCodecs, type Sdk } from './official-sdk.ts';

let node: StartedNode;

before(async () => {
  node = await startNode({
    namespaces: {
      room: { presence: true, joinLeave: true },
      log: { historySize: 1_000 },
      short: { historySize: 5 },
      personal: { historySize: 100, allowSubscribe: 'nobody', allowPublish: 'nobody' },
    },
    settings: { personalNamespace: 'personal' },
  });
});
after(() => node.close());

withBothCodecs('server-side subscriptions', (codec) => {
  const channel = (name: string): string => `${name}-${codec.name}`;
  const user = (name: string): string => `${name}-${codec.name}`;
  const offsets = (sdk: Sdk, name: string): (number | undefined)[] =>
    sdk.events
      .all('publication')
      .filter((publication) => publication.channel === name)
      .map(({ offset }) => offset);

  test('the channels of the token are subscribed with the connect', async (t) => {
    const names = [channel('log:a'), channel('room:b')];
    const sdk = await connectSdk(t, codec, node, { user: user('ann'), claims: { channels: names } });
    const contexts = await sdk.events.count('subscribed', 3);
    assert.deepEqual(contexts.map((context) => context.channel).sort(), [...names, `personal:${user('ann')}`].sort());
    const log = contexts.find((context) => context.channel === names[0]);
    assert.deepEqual([log?.recoverable, log?.positioned, log?.streamPosition?.offset], [true, true, 0]);
    const room = contexts.find((context) => context.channel === names[1]);
    assert.deepEqual([room?.recoverable, room?.streamPosition], [false, undefined]);
    await node.server.publish(names[1]!, { hello: 'there' });
    const publication = await sdk.events.next('publication');
    assert.deepEqual([publication.channel, codec.unpack(publication.data)], [names[1], { hello: 'there' }]);
  });

  test('what is published to a personal channel reaches every device of the user, and nobody else', async (t) => {
    const devices = [
      await connectSdk(t, codec, node, { user: user('eve') }),
      await connectSdk(t, codec, node, { user: user('eve') }),
    ];
    const other = await connectSdk(t, codec, node, { user: user('bob') });
    await node.server.publish(`personal:${user('eve')}`, 'for you');
    await node.server.publish(`personal:${user('bob')}`, 'for bob');
    for (const sdk of devices) assert.equal(codec.unpack((await sdk.events.next('publication')).data), 'for you');
    await other.events.next('publication');
    assert.deepEqual(other.values(other.events.all('publication')), ['for bob']);
    const { events } = other.subscription(`personal:${user('eve')}`);
    assert.equal((await events.next('unsubscribed')).code, 103);
  });

  test('join and leave come on the client', async (t) => {
    const name = channel('room:join');
    const ann = await connectSdk(t, codec, node, { user: 'ann', claims: { channels: [name] } });
    const bob = await connectSdk(t, codec, node, { user: 'bob', claims: { channels: [name] } });
    const joined = await eventually(() => ann.events.all('join').find(({ info }) => info.user === 'bob'));
    assert.equal(joined.channel, name);
    bob.centrifuge.disconnect();
    const left = await ann.events.next('leave');
    assert.deepEqual([left.channel, left.info.user, left.info.client], [name, 'bob', joined.info.client]);
  });

  test('DEL-9: what was missed while away is recovered with the connect, in pages', async (t) => {
    const name = channel('log:away');
    const proxy = await startFaultProxy({ target: { port: node.port } });
    t.after(() => proxy.close());
    const url = node.wsUrl.replace(`:${node.port}/`, `:${proxy.port}/`);
    const sdk = await connectSdk(t, codec, node, { user: 'ann', url, claims: { channels: [name] } });
    for (let n = 1; n <= 3; n += 1) await node.server.publish(name, n);
    await eventually(() => offsets(sdk, name).length === 3);
    proxy.set({ refuse: true });
    proxy.resetAll();
    await sdk.events.count('connecting', 2);
    for (let n = 4; n <= 800; n += 1) await node.server.publish(name, n);
    proxy.heal();
    await sdk.events.count('connected', 2);
    for (let n = 801; n <= 810; n += 1) await node.server.publish(name, n);
    await eventually(() => offsets(sdk, name).length >= 810);
    assert.deepEqual(
      offsets(sdk, name),
      Array.from({ length: 810 }, (_, i) => i + 1),
    );
    const again = sdk.events.all('subscribed').filter((context) => context.channel === name)[1];
    assert.deepEqual([again?.wasRecovering, again?.recovered], [true, true]);
  });

  test('DEL-9: where history was trimmed meanwhile, the client is told so', async (t) => {
    const name = channel('short:away');
    const sdk = await connectSdk(t, codec, node, { user: user('kim'), claims: { channels: [name] } });
    await node.server.publish(name, 1);
    await eventually(() => offsets(sdk, name).length === 1);
    // The client is away no longer than its back-off, so the publications come in the same turn.
    const gone = node.server.disconnect(user('kim'), disconnects.forceReconnect);
    for (let n = 2; n <= 20; n += 1) await node.server.publish(name, n);
    assert.equal((await gone).count, 1);
    await sdk.events.count('connected', 2);
    const again = await eventually(() => sdk.events.all('subscribed').filter((context) => context.channel === name)[1]);
    assert.deepEqual([again.wasRecovering, again.recovered, again.streamPosition?.offset], [true, false, 20]);
  });

  test('a channel that the token no longer names is unsubscribed', async (t) => {
    const [kept, dropped] = [channel('log:kept'), channel('log:dropped')];
    let asked = 0;
    const sdk = await connectSdk(t, codec, node, {
      getToken: () => {
        asked += 1;
        return node.token({ user: user('lea'), channels: asked === 1 ? [kept, dropped] : [kept] });
      },
    });
    // State invalidated: the SDK gets a new token.
    await node.server.disconnect(user('lea'), disconnects.stateInvalidated);
    assert.equal((await sdk.events.next('unsubscribed')).channel, dropped);
    assert.equal(sdk.centrifuge.state, 'connected');
  });

  test('the application ends one for good: the client is told, and the connection goes on', async (t) => {
    const name = channel('log:ended');
    const sdk = await connectSdk(t, codec, node, { user: user('max'), claims: { channels: [name] } });
    assert.equal((await node.server.unsubscribe(user('max'), name)).count, 1);
    assert.deepEqual(await sdk.events.next('unsubscribed'), { channel: name });
    await node.server.publish(name, 'unheard');
    await node.server.publish(`personal:${user('max')}`, 'heard');
    assert.equal(codec.unpack((await sdk.events.next('publication')).data), 'heard');
  });

  test('one that is in doubt ends the connection with 3010, and is recovered', async (t) => {
    const name = channel('log:doubt');
    const sdk = await connectSdk(t, codec, node, { user: user('pat'), claims: { channels: [name] } });
    await node.server.unsubscribe(user('pat'), name, unsubscribes.insufficientState);
    await node.server.publish(name, 'meanwhile');
    await sdk.events.count('connecting', 2);
    assert.equal(sdk.events.all('connecting')[1]?.code, 3010);
    assert.equal(codec.unpack((await sdk.events.next('publication')).data), 'meanwhile');
  });

  test('a channel of the token that does not exist refuses the connect', async (t) => {
    const token = await node.token({ user: 'ann', channels: ['unheard:x'] });
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    sdk.centrifuge.disconnect();
    sdk.centrifuge.setToken(token);
    sdk.centrifuge.connect();
    await sdk.events.count('disconnected', 2);
    assert.equal(sdk.events.all('disconnected')[1]?.code, 102);
  });
});

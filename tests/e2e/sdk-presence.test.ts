import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, startNode, type StartedNode } from '@tutti/testkit';
import { connectSdk, withBothCodecs, type Sdk } from './official-sdk.ts';

let node: StartedNode;

before(async () => {
  node = await startNode({
    namespaces: {
      room: { presence: true, joinLeave: true },
      quiet: { presence: true },
      secret: { presence: true, allowPresence: 'nobody' },
      plain: {},
    },
  });
});
after(() => node.close());

const idOf = (sdk: Sdk): string => sdk.events.all('connected').at(-1)?.client ?? '';

withBothCodecs('presence', (codec) => {
  const channel = (name: string): string => `${name}-${codec.name}`;

  test('who is there: each connection with its user and what its tokens say', async (t) => {
    const name = channel('room:who');
    const ann = await connectSdk(t, codec, node, { user: 'ann', claims: { info: { name: 'Ann' } } });
    const bob = await connectSdk(t, codec, node, { user: 'bob' });
    await ann.follow(name, {
      token: await node.subscriptionToken({ user: 'ann', channel: name, info: { role: 'host' } }),
    });
    const { subscription } = await bob.follow(name);
    const { clients } = await subscription.presence();
    assert.deepEqual(Object.keys(clients).sort(), [idOf(ann), idOf(bob)].sort());
    const seen = clients[idOf(ann)];
    assert.deepEqual([seen?.user, seen?.client], ['ann', idOf(ann)]);
    assert.deepEqual([codec.unpack(seen?.connInfo), codec.unpack(seen?.chanInfo)], [{ name: 'Ann' }, { role: 'host' }]);
    assert.equal(clients[idOf(bob)]?.user, 'bob');
    assert.deepEqual(Object.keys((await ann.centrifuge.presence(name)).clients).length, 2);
  });

  test('PRE-2: several devices of a user are several clients and one user', async (t) => {
    const name = channel('room:devices');
    const devices = await Promise.all([1, 2, 3].map(() => connectSdk(t, codec, node, { user: 'ann' })));
    const bob = await connectSdk(t, codec, node, { user: 'bob' });
    for (const sdk of [...devices, bob]) await sdk.follow(name);
    assert.deepEqual(await bob.centrifuge.presenceStats(name), { numClients: 4, numUsers: 2 });
    devices[0]?.centrifuge.disconnect();
    await eventually(async () => {
      assert.deepEqual(await bob.centrifuge.presenceStats(name), { numClients: 3, numUsers: 2 });
      return true;
    });
  });

  test('what is published reaches every device of a user', async (t) => {
    const name = channel('room:every-device');
    const devices = await Promise.all([1, 2, 3].map(() => connectSdk(t, codec, node, { user: 'ann' })));
    const followed = await Promise.all(devices.map((sdk) => sdk.follow(name)));
    await devices[0]?.publish(name, 'hello');
    for (const one of followed) assert.equal((await one.publications(1))[0]?.value, 'hello');
  });

  test('join and leave are told to those who are there, with who it is', async (t) => {
    const name = channel('room:join');
    const ann = await connectSdk(t, codec, node, { user: 'ann' });
    const atAnn = await ann.follow(name);
    const bob = await connectSdk(t, codec, node, { user: 'bob', claims: { info: { name: 'Bob' } } });
    const atBob = await bob.follow(name);
    const bobJoined = await eventually(() => atAnn.events.all('join').find(({ info }) => info.user === 'bob'));
    assert.deepEqual([bobJoined.channel, bobJoined.info.client], [name, idOf(bob)]);
    assert.deepEqual(codec.unpack(bobJoined.info.connInfo), { name: 'Bob' });
    atBob.subscription.unsubscribe();
    const left = await atAnn.events.next('leave');
    assert.deepEqual([left.info.user, left.info.client], ['bob', idOf(bob)]);
  });

  test('PRE-1: a client that disconnects leaves', async (t) => {
    const name = channel('room:disconnect');
    const ann = await connectSdk(t, codec, node, { user: 'ann' });
    const atAnn = await ann.follow(name);
    const bob = await connectSdk(t, codec, node, { user: 'bob' });
    await bob.follow(name);
    const client = idOf(bob);
    bob.centrifuge.disconnect();
    assert.equal((await atAnn.events.next('leave')).info.client, client);
    assert.deepEqual(Object.keys((await ann.centrifuge.presence(name)).clients), [idOf(ann)]);
  });

  test('a channel without joinLeave tells nobody, and knows who is there all the same', async (t) => {
    const name = channel('quiet:x');
    const ann = await connectSdk(t, codec, node, { user: 'ann' });
    const atAnn = await ann.follow(name);
    const bob = await connectSdk(t, codec, node, { user: 'bob' });
    await bob.follow(name);
    await bob.publish(name, 'after the join');
    await atAnn.publications(1);
    assert.deepEqual(atAnn.events.all('join'), []);
    assert.equal((await ann.centrifuge.presenceStats(name)).numClients, 2);
  });

  test('presence is refused where it is not kept (108) or not permitted (103)', async (t) => {
    const ann = await connectSdk(t, codec, node, { user: 'ann' });
    for (const [name, code] of [
      ['plain:x', 108],
      ['secret:x', 103],
      ['unheard:x', 102],
    ] as const) {
      await assert.rejects(ann.centrifuge.presence(name), { code });
      await assert.rejects(ann.centrifuge.presenceStats(name), { code });
    }
  });

  test('an empty channel has nobody in it', async (t) => {
    const ann = await connectSdk(t, codec, node, { user: 'ann' });
    assert.deepEqual((await ann.centrifuge.presence(channel('room:empty'))).clients, {});
    assert.deepEqual(await ann.centrifuge.presenceStats(channel('room:empty')), { numClients: 0, numUsers: 0 });
  });
});

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startNode, type StartedNode } from '@tutti/testkit';
import { connectSdk, withBothCodecs } from './official-sdk.ts';

let node: StartedNode;

before(async () => {
  node = await startNode({
    namespaces: {
      room: {},
      log: { historySize: 100 },
      closed: { allowSubscribe: 'nobody', allowPublish: 'nobody' },
      members: { allowPublish: 'subscriber' },
      token: { allowSubscribe: 'token' },
      named: { allowSubscribe: 'user', allowPublish: 'user' },
      bytes: { payload: 'binary' },
    },
    settings: { subscriptionsMax: 3, allowAnonymous: true },
  });
});
after(() => node.close());

const refused =
  (code: number): ((error: unknown) => boolean) =>
  (error) =>
    (error as { code?: number }).code === code;

withBothCodecs('subscribe and publish', (codec) => {
  const channel = (name: string): string => `${name}-${codec.name}`;

  test('what one client publishes, another and itself receive, with who it was', async (t) => {
    const ann = await connectSdk(t, codec, node, { user: 'ann', claims: { info: { name: 'Ann' } } });
    const bob = await connectSdk(t, codec, node, { user: 'bob' });
    const atAnn = await ann.follow(channel('room:both'));
    const atBob = await bob.follow(channel('room:both'));
    const value = { text: 'grüße 🎺', list: [1, 2.5, null, true], nested: { a: {} } };
    await ann.publish(channel('room:both'), value);
    for (const followed of [atAnn, atBob]) {
      const publication = await followed.events.next('publication');
      assert.deepEqual(codec.unpack(publication.data), value);
      assert.equal(publication.info?.user, 'ann');
      assert.equal(publication.info.client, ann.events.all('connected')[0]?.client);
      assert.deepEqual(codec.unpack(publication.info.connInfo), { name: 'Ann' });
    }
  });

  test('the application publishes, with tags and without a client', async (t) => {
    const ann = await connectSdk(t, codec, node, { user: 'ann' });
    const { events } = await ann.follow(channel('log:tags'));
    await node.server.publish(channel('log:tags'), { n: 1 }, { tags: { kind: 'news' } });
    const publication = await events.next('publication');
    assert.deepEqual(codec.unpack(publication.data), { n: 1 });
    assert.deepEqual({ ...publication.tags }, { kind: 'news' });
    assert.equal(publication.offset, 1);
    assert.equal(publication.info, undefined);
  });

  test('a channel with history says where it is, one without does not', async (t) => {
    await node.server.publish(channel('log:position'), 1);
    const ann = await connectSdk(t, codec, node, { user: 'ann' });
    const kept = ann.subscription(channel('log:position'));
    const plain = ann.subscription(channel('room:position'));
    const context = await kept.events.next('subscribed');
    assert.deepEqual([context.recoverable, context.positioned, context.streamPosition?.offset], [true, true, 1]);
    assert.match(context.streamPosition?.epoch ?? '', /./);
    assert.deepEqual(
      [context.wasRecovering, context.recovered, context.hasRecoveredPublications],
      [false, false, false],
    );
    const other = await plain.events.next('subscribed');
    assert.deepEqual([other.recoverable, other.positioned, other.streamPosition], [false, false, undefined]);
  });

  test('DEL-1: publications arrive in order, those of one connection in the order of their commands', async (t) => {
    const ann = await connectSdk(t, codec, node, { user: 'ann' });
    const followed = await ann.follow(channel('log:order'));
    const sent = Array.from({ length: 100 }, (_, n) => n);
    await Promise.all(sent.map((n) => ann.publish(channel('log:order'), n)));
    const seen = await followed.publications(100);
    assert.deepEqual(
      seen,
      sent.map((n) => ({ offset: n + 1, value: n })),
    );
  });

  test('after unsubscribe nothing comes, after subscribing again it does', async (t) => {
    const ann = await connectSdk(t, codec, node, { user: 'ann' });
    const bob = await connectSdk(t, codec, node, { user: 'bob' });
    const atBob = await bob.follow(channel('room:leave'));
    const { subscription, events } = await ann.follow(channel('room:leave'));
    subscription.unsubscribe();
    assert.equal((await events.next('unsubscribed')).code, 0);
    // A later command of the same channel: answered when the unsubscribe has taken effect.
    await ann.publish(channel('room:leave'), 'while away');
    await atBob.publications(1);
    subscription.subscribe();
    await events.next('subscribed');
    await ann.publish(channel('room:leave'), 'back');
    assert.equal(codec.unpack((await events.next('publication')).data), 'back');
  });

  test('publishing is permitted by the namespace: nobody, who is subscribed, who has a name', async (t) => {
    const ann = await connectSdk(t, codec, node, { user: 'ann' });
    const nobody = await connectSdk(t, codec, node, {});
    await assert.rejects(ann.publish(channel('closed:x'), 1), refused(103));
    await assert.rejects(ann.publish(channel('members:x'), 1), refused(103));
    await ann.follow(channel('members:x'));
    await ann.publish(channel('members:x'), 1);
    await ann.publish(channel('named:x'), 1);
    await assert.rejects(nobody.publish(channel('named:x'), 1), refused(103));
    await assert.rejects(ann.publish(channel('unheard:x'), 1), refused(102));
  });

  test('a capability of the token gives what the namespace does not', async (t) => {
    const capabilities = [{ channels: [channel('closed:mine')], allow: ['publish'] as const }];
    const ann = await connectSdk(t, codec, node, { user: 'ann', claims: { capabilities } });
    await ann.publish(channel('closed:mine'), 1);
    await assert.rejects(ann.publish(channel('closed:theirs'), 1), refused(103));
  });

  test('a subscribe is refused for good with 102, 103, 106 or 107, and the connection goes on', async (t) => {
    const ann = await connectSdk(t, codec, node, { user: 'ann' });
    const outcomes = { 'unheard:x': 102, 'closed:x': 103, 'token:x': 103, 'room:a::b': 107 };
    for (const [name, code] of Object.entries(outcomes)) {
      const { events } = ann.subscription(name);
      assert.equal((await events.next('unsubscribed')).code, code, name);
    }
    for (const name of ['room:1', 'room:2', 'room:3']) await ann.follow(name);
    const { events } = ann.subscription('room:4');
    assert.equal((await events.next('unsubscribed')).code, 106);
    await ann.publish('room:1', 'still here');
  });

  test('a channel that the server has subscribed already is refused with 105', async (t) => {
    const ann = await connectSdk(t, codec, node, { user: 'ann', claims: { channels: [channel('room:given')] } });
    const { events } = ann.subscription(channel('room:given'));
    assert.equal((await events.next('unsubscribed')).code, 105);
  });

  test('a binary channel carries any bytes, to Protobuf only', async (t) => {
    const ann = await connectSdk(t, codec, node, { user: 'ann' });
    const { events } = ann.subscription(channel('bytes:x'));
    if (codec.name === 'json') {
      assert.equal((await events.next('unsubscribed')).code, 108);
      return;
    }
    await events.next('subscribed');
    const bytes = Uint8Array.from({ length: 256 }, (_, n) => n);
    await ann.centrifuge.publish(channel('bytes:x'), bytes);
    assert.deepEqual(new Uint8Array((await events.next('publication')).data as Uint8Array), bytes);
    await assert.rejects(ann.centrifuge.publish(channel('room:x'), bytes), refused(107));
  });

  test('a map, which this node does not have, is refused with 108', async (t) => {
    const ann = await connectSdk(t, codec, node, { user: 'ann' });
    const map = ann.centrifuge.newMapSubscription(channel('log:map'));
    const code = await new Promise((resolve) => {
      map.on('unsubscribed', (context) => resolve(context.code));
      map.subscribe();
    });
    assert.equal(code, 108);
  });

  test('deltas are not offered, and a client that asks for them gets whole payloads', async (t) => {
    const ann = await connectSdk(t, codec, node, { user: 'ann' });
    const followed = await ann.follow(channel('log:delta'), { delta: 'fossil' });
    for (const n of [1, 2, 3]) await ann.publish(channel('log:delta'), { text: 'much the same', n });
    assert.deepEqual(
      (await followed.publications(3)).map(({ value }) => value),
      [1, 2, 3].map((n) => ({ text: 'much the same', n })),
    );
  });

  test('a frame beyond the limit ends the connection for good: 1009', async (t) => {
    const ann = await connectSdk(t, codec, node, { user: 'ann' });
    const published = assert.rejects(ann.publish(channel('room:big'), 'x'.repeat(70_000)));
    const { code, reason } = await ann.events.next('disconnected');
    assert.deepEqual([code, reason], [3, 'message size limit exceeded']);
    await published;
  });

  test('a payload just below the limit passes', async (t) => {
    const ann = await connectSdk(t, codec, node, { user: 'ann' });
    const { events } = await ann.follow(channel('room:almost'));
    const value = 'x'.repeat(60_000);
    await ann.publish(channel('room:almost'), value);
    assert.equal(codec.unpack((await events.next('publication')).data), value);
  });
});

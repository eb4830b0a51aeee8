import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Tutti } from '@tutti/client';
import { protobuf } from '@tutti/client/protobuf';
import { connectClient, startNode, type StartedNode } from '@tutti/testkit';
import { connectSdk, withBothCodecs } from './official-sdk.ts';

// What an application does by accident: text cut in the middle of an emoji, far too much structure, far too many bytes.

let node: StartedNode;
let narrow: StartedNode;
const frameBytesMax = 4_096;

before(async () => {
  node = await startNode({ namespaces: { room: { historySize: 100 } }, rpc: { echo: (data) => data } });
  narrow = await startNode({ namespaces: { room: { historySize: 100 } }, settings: { frameBytesMax } });
});
after(async () => {
  await node.close();
  await narrow.close();
});

const half = 'half an emoji: 🎺'.slice(0, -1);
const deep = JSON.parse(`${'['.repeat(33)}0${']'.repeat(33)}`) as unknown;
const wide = Object.fromEntries(Array.from({ length: 1_001 }, (_, i) => [`k${i}`, i]));

withBothCodecs('a payload that cannot be', (codec) => {
  const channel = `room:bad-${codec.name}`;

  test('S13: is refused by itself: what leaves in the same frame goes through, and the SDK stays connected', async (t) => {
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    const followed = await sdk.follow(channel);
    const code = (request: Promise<unknown>): Promise<unknown> =>
      request.then(
        () => 'done',
        (error: unknown) => (error as { code: number }).code,
      );
    sdk.centrifuge.startBatching();
    const all = Promise.all([
      code(sdk.publish(channel, 'before')),
      code(sdk.publish(channel, half)),
      code(sdk.publish(channel, { deep })),
      code(sdk.publish(channel, wide)),
      code(sdk.publish(channel, 'after')),
    ]);
    sdk.centrifuge.stopBatching();
    assert.deepEqual(await all, ['done', 107, 107, 107, 'done']);
    assert.deepEqual(
      (await followed.publications(2)).map(({ value }) => value),
      ['before', 'after'],
    );
    assert.deepEqual([sdk.centrifuge.state, sdk.events.all('disconnected').length], ['connected', 0]);
  });

  test('a subscription with a filter by tags ends with 108, and is not given everything', async (t) => {
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    const { events } = sdk.subscription(channel, { tagsFilter: { key: 'lang', cmp: 'eq', val: 'en' } });
    assert.equal((await events.next('unsubscribed')).code, 108);
  });

  test('our SDK sends U+FFFD for half an emoji, and is told of the others by their own promises', async (t) => {
    const { tutti: client, close } = await connectClient(node, { user: 'bob', codec: codec.name });
    t.after(close);
    const room = client.subscribe(`room:ours-${codec.name}`);
    const results = await Promise.allSettled([
      room.publish(half),
      room.publish({ deep }),
      room.publish(wide),
      room.publish('after'),
    ]);
    assert.deepEqual(
      results.map((result) => (result.status === 'rejected' ? (result.reason as { code: number }).code : 'done')),
      ['done', 107, 107, 'done'],
    );
    const { publications } = await room.history();
    assert.deepEqual(
      publications.map(({ data }) => data),
      ['half an emoji: \ufffd', 'after'],
    );
    assert.equal(await client.rpc('echo', half), 'half an emoji: \ufffd');
  });

  test('S13: our SDK keeps to a smaller bound of frames, from its first resume on, and rejects only what exceeds it', async (t) => {
    const options = codec.name === 'protobuf' ? { codec: protobuf() } : {};
    const client = new Tutti(narrow.wsUrl, {
      token: await narrow.token({ user: 'bob' }),
      reconnectMinMs: 10,
      ...options,
    });
    t.after(() => client.close());
    const name = 'x'.repeat(60);
    const rooms = Array.from({ length: 100 }, (_, i) => client.subscribe(`room:${name}-${codec.name}-${i}`));
    await Promise.all(rooms.map((room) => room.ready()));
    const sizes = [100, frameBytesMax, 100, 3_500, 100];
    const results = await Promise.allSettled(
      sizes.map((size) => client.publish(`room:${codec.name}`, 'x'.repeat(size))),
    );
    assert.deepEqual(
      results.map((result) => (result.status === 'rejected' ? (result.reason as { code: number }).code : 'done')),
      ['done', 11, 'done', 'done', 'done'],
    );
    assert.equal((await client.history(`room:${codec.name}`)).publications.length, 4, 'each once');
  });
});

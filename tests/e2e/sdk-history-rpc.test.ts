import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Rejection, rejections } from '@tutti/protocol';
import { startNode, type StartedNode } from '@tutti/testkit';
import { connectSdk, withBothCodecs, type Sdk } from './official-sdk.ts';

let node: StartedNode;

before(async () => {
  node = await startNode({
    namespaces: { log: { historySize: 1_000 }, plain: {}, members: { historySize: 10, allowHistory: 'subscriber' } },
    rpc: {
      add: (data) => {
        const { a, b } = data as { a: number; b: number };
        return { sum: a + b };
      },
      whoami: (_data, { user, client }) => ({ user, client }),
      nothing: () => undefined,
      later: async (data) => Promise.resolve(data),
      refuse: () => {
        throw new Rejection(rejections.permissionDenied, 'not on Sundays');
      },
      fail: () => {
        throw new Error('secret detail');
      },
    },
  });
});
after(() => node.close());

withBothCodecs('history', (codec) => {
  const channel = (name: string): string => `${name}-${codec.name}`;

  async function filled(name: string, count: number): Promise<void> {
    for (let n = 1; n <= count; n += 1) await node.server.publish(channel(name), n);
  }
  const values = (sdk: Sdk, { publications }: { publications: { data: unknown }[] }): unknown[] =>
    sdk.values(publications);

  test('forward and reverse, with a limit, and from a position', async (t) => {
    await filled('log:ways', 10);
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    const read = (options: object): ReturnType<Sdk['centrifuge']['history']> =>
      sdk.centrifuge.history(channel('log:ways'), options);
    const all = await read({ limit: 100 });
    assert.deepEqual(values(sdk, all), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    assert.deepEqual(
      all.publications.map(({ offset }) => offset),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    );
    const { epoch } = all;
    assert.equal(all.offset, 10);
    assert.deepEqual(values(sdk, await read({ limit: 3 })), [1, 2, 3]);
    assert.deepEqual(values(sdk, await read({ limit: 3, reverse: true })), [10, 9, 8]);
    assert.deepEqual(values(sdk, await read({ limit: 3, since: { offset: 4, epoch } })), [5, 6, 7]);
    assert.deepEqual(values(sdk, await read({ limit: 3, since: { offset: 4, epoch }, reverse: true })), [3, 2, 1]);
    assert.deepEqual(values(sdk, await read({ limit: 3, since: { offset: 10, epoch } })), []);
    assert.deepEqual(values(sdk, await read({ limit: -1 })).length, 10);
  });

  test('limit 0, and none, is the position alone', async (t) => {
    await filled('log:zero', 3);
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    for (const options of [{ limit: 0 }, undefined]) {
      const { publications, offset, epoch } = await sdk.centrifuge.history(channel('log:zero'), options);
      assert.deepEqual([publications, offset], [[], 3]);
      assert.match(epoch, /./);
    }
  });

  test('page after page, each from the last of the one before, is everything', async (t) => {
    await filled('log:paging', 25);
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    const start = await sdk.centrifuge.history(channel('log:paging'), { limit: 0 });
    const seen: unknown[] = [];
    let since = { offset: 0, epoch: start.epoch };
    for (;;) {
      const page = await sdk.centrifuge.history(channel('log:paging'), { limit: 10, since });
      if (page.publications.length === 0) break;
      seen.push(...values(sdk, page));
      since = { offset: page.publications.at(-1)?.offset ?? 0, epoch: page.epoch };
    }
    assert.deepEqual(
      seen,
      Array.from({ length: 25 }, (_, i) => i + 1),
    );
  });

  test('a page is bounded by the node, whatever is asked for', async (t) => {
    await filled('log:bound', 310);
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    assert.equal((await sdk.centrifuge.history(channel('log:bound'), { limit: 1_000 })).publications.length, 300);
  });

  test('a position of another epoch is refused with 112', async (t) => {
    await filled('log:epoch', 3);
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    const since = { offset: 1, epoch: 'another' };
    await assert.rejects(sdk.centrifuge.history(channel('log:epoch'), { limit: 10, since }), { code: 112 });
  });

  test('history through a subscription, and who published', async (t) => {
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    const { subscription } = await sdk.follow(channel('log:through'));
    await subscription.publish(codec.pack({ n: 1 }));
    const { publications } = await subscription.history({ limit: 1 });
    assert.equal(publications[0]?.info?.user, 'ann');
    assert.deepEqual(values(sdk, { publications }), [{ n: 1 }]);
  });

  test('refused: 108 where none is kept, 103 where not permitted, 102 unknown', async (t) => {
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    await assert.rejects(sdk.centrifuge.history('plain:x', { limit: 1 }), { code: 108 });
    await assert.rejects(sdk.centrifuge.history('members:x', { limit: 1 }), { code: 103 });
    await assert.rejects(sdk.centrifuge.history('unheard:x', { limit: 1 }), { code: 102 });
    await sdk.follow('members:x');
    await assert.doesNotReject(sdk.centrifuge.history('members:x', { limit: 1 }));
  });
});

withBothCodecs('rpc', (codec) => {
  const call = async (sdk: Sdk, method: string, value: unknown): Promise<unknown> =>
    codec.unpack((await sdk.centrifuge.rpc(method, codec.pack(value))).data);

  test('a result, who calls, and a promise', async (t) => {
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    assert.deepEqual(await call(sdk, 'add', { a: 1, b: 2 }), { sum: 3 });
    const client = sdk.events.all('connected')[0]?.client;
    assert.deepEqual(await call(sdk, 'whoami', null), { user: 'ann', client });
    assert.deepEqual(await call(sdk, 'later', ['x']), ['x']);
  });

  test('a method that returns nothing is answered', async (t) => {
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    const { data } = await sdk.centrifuge.rpc('nothing', codec.pack(1));
    assert.equal((data as Uint8Array | undefined)?.length ?? 0, 0);
  });

  test('many at a time, each with its own answer', async (t) => {
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    const numbers = Array.from({ length: 100 }, (_, n) => n);
    const sums = await Promise.all(numbers.map((n) => call(sdk, 'add', { a: n, b: n })));
    assert.deepEqual(
      sums,
      numbers.map((n) => ({ sum: 2 * n })),
    );
  });

  test('unknown: 104; refused: as the method says; failed: 100 and no detail', async (t) => {
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    await assert.rejects(call(sdk, 'unheard', 1), { code: 104, message: 'method not found' });
    await assert.rejects(call(sdk, 'refuse', 1), { code: 103, message: 'not on Sundays' });
    await assert.rejects(call(sdk, 'fail', 1), { code: 100, message: 'internal server error', temporary: true });
    assert.deepEqual(await call(sdk, 'later', 1), 1, 'the connection goes on');
  });

  test('a message that nobody takes ends the connection for good: 3508', async (t) => {
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    await sdk.centrifuge.send(codec.pack('hello?'));
    assert.equal((await sdk.events.next('disconnected')).code, 3508);
  });
});

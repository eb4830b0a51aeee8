import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, startFaultProxy, startNode, type FaultProxy, type StartedNode } from '@tutti/testkit';
import { connectSdk, withBothCodecs, type Cleanup, type SdkSubscription } from './official-sdk.ts';

let node: StartedNode;

before(async () => {
  node = await startNode({ namespaces: { log: { historySize: 3_000 }, short: { historySize: 5 } } });
});
after(() => node.close());

interface Proxied {
  readonly proxy: FaultProxy;
  readonly url: string;
}

async function proxyBefore(t: Cleanup): Promise<Proxied> {
  const proxy = await startFaultProxy({ target: { port: node.port } });
  t.after(() => proxy.close());
  return { proxy, url: node.wsUrl.replace(`:${node.port}/`, `:${proxy.port}/`) };
}

async function publishMany(channel: string, from: number, to: number, padding = ''): Promise<void> {
  for (let n = from; n <= to; n += 1) await node.server.publish(channel, { n, padding });
}

/** Offsets 1 to `count`, each once, in order, each with its own payload. */
async function assertWhole(followed: SdkSubscription, count: number): Promise<void> {
  const seen = await followed.publications(count);
  assert.deepEqual(
    seen.map(({ offset, value }) => [offset, (value as { n: number }).n]),
    Array.from({ length: count }, (_, i) => [i + 1, i + 1]),
  );
}

withBothCodecs('recovery', (codec) => {
  const channel = (name: string): string => `${name}-${codec.name}`;

  test('DEL-2: a cut in mid-frame loses nothing and doubles nothing', async (t) => {
    const { proxy, url } = await proxyBefore(t);
    const sdk = await connectSdk(t, codec, node, { user: 'ann', url });
    const followed = await sdk.follow(channel('log:cut'));
    const padding = 'x'.repeat(40_000);
    const cuts = 5;
    for (let cut = 0; cut < cuts; cut += 1) {
      await publishMany(channel('log:cut'), cut * 3 + 1, cut * 3 + 2);
      await followed.publications(cut * 3 + 2);
      // One frame is longer than what may still pass, so the cut falls within it.
      proxy.set({ cutAfter: { direction: 'down', bytes: proxy.passed('down') + 1_000 + cut * 7_000 } });
      await publishMany(channel('log:cut'), cut * 3 + 3, cut * 3 + 3, padding);
      await sdk.events.count('connecting', cut + 2);
      assert.equal(followed.events.all('publication').length, cut * 3 + 2, 'half a frame is not delivered');
      proxy.heal();
      await sdk.events.count('connected', cut + 2);
      await followed.publications(cut * 3 + 3);
    }
    await assertWhole(followed, cuts * 3);
    for (const context of followed.events.all('subscribed').slice(1)) {
      assert.deepEqual([context.wasRecovering, context.recovered], [true, true]);
    }
  });

  test('DEL-1: resets at any moment while a publisher goes on: all once, in order', async (t) => {
    const { proxy, url } = await proxyBefore(t);
    const sdk = await connectSdk(t, codec, node, { user: 'ann', url });
    const followed = await sdk.follow(channel('log:storm'));
    let n = 0;
    for (let cut = 1; cut <= 8; cut += 1) {
      proxy.resetAll();
      // Into the gap, and on while the client comes back and recovers.
      const mostInGap = n + 300;
      await eventually(async () => {
        if (n < mostInGap) await publishMany(channel('log:storm'), ++n, n);
        return sdk.events.all('connected').length > cut;
      });
      await publishMany(channel('log:storm'), n + 1, n + 5 * cut);
      n += 5 * cut;
    }
    await assertWhole(followed, n);
  });

  test('DEL-8: subscribing from a position amid a stream of publications: no hole, no duplicate', async (t) => {
    const name = channel('log:amid');
    const ann = await connectSdk(t, codec, node, { user: 'ann' });
    const bob = await connectSdk(t, codec, node, { user: 'bob' });
    const atAnn = await ann.follow(name);
    const { top } = await node.server.history(name, { limit: 0 });
    let n = 0;
    const burst = (): void => void publishMany(name, ++n, n).then(() => publishMany(name, ++n, n));
    for (let round = 0; round < 20; round += 1) {
      const followed = bob.subscription(name, { since: { offset: 0, epoch: top.epoch } });
      await eventually(() => {
        burst();
        return followed.events.all('subscribed').length > 0;
      });
      burst();
      await eventually(async () => (await node.server.history(name, { limit: 0 })).top.offset === n);
      await assertWhole(followed, n);
      followed.subscription.unsubscribe();
      bob.centrifuge.removeSubscription(followed.subscription);
    }
    await assertWhole(atAnn, n);
  });

  test('BP-5: a client too slow for its channel gets all of it in the end, and the others are not disturbed', async (t) => {
    const name = channel('log:slow');
    const { proxy, url } = await proxyBefore(t);
    const slow = await connectSdk(t, codec, node, { user: 'ann', url });
    const fast = await connectSdk(t, codec, node, { user: 'bob' });
    const atSlow = await slow.follow(name);
    const atFast = await fast.follow(name);
    proxy.set({ bytesPerSecond: 1_000 });
    // More than the queue, the network's buffers and the proxy hold together.
    const count = 300;
    for (let n = 1; n <= count; n += 20) {
      await publishMany(name, n, n + 19, 'x'.repeat(50_000));
      await atFast.publications(n + 19);
    }
    await assertWhole(atFast, count);
    assert.ok(atSlow.events.all('publication').length < count);
    proxy.heal();
    await assertWhole(atSlow, count);
    assert.equal(fast.events.all('connected').length, 1);
  });

  test('frames in slices of a few bytes arrive like any others', async (t) => {
    const { proxy, url } = await proxyBefore(t);
    proxy.set({ sliceBytes: 3 });
    const sdk = await connectSdk(t, codec, node, { user: 'ann', url });
    const followed = await sdk.follow(channel('log:slices'));
    for (let n = 1; n <= 5; n += 1) await sdk.publish(channel('log:slices'), { n, padding: 'ü'.repeat(500) });
    await assertWhole(followed, 5);
  });

  test('DEL-9: more than a page of missed publications is recovered, in pages', async (t) => {
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    const followed = await sdk.follow(channel('log:pages'));
    await publishMany(channel('log:pages'), 1, 2);
    await followed.publications(2);
    sdk.centrifuge.disconnect();
    await publishMany(channel('log:pages'), 3, 1_234);
    sdk.centrifuge.connect();
    await followed.events.count('subscribed', 2);
    const context = followed.events.all('subscribed')[1];
    assert.deepEqual(
      [context?.wasRecovering, context?.recovered, context?.hasRecoveredPublications],
      [true, true, true],
    );
    // Live ones while the pages are under way fall into place behind them.
    await publishMany(channel('log:pages'), 1_235, 1_300);
    await assertWhole(followed, 1_300);
  });

  test('DEL-9: a position of another epoch is answered with recovered: false and the position of now', async (t) => {
    await publishMany(channel('log:epoch'), 1, 3);
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    const followed = sdk.subscription(channel('log:epoch'), { since: { offset: 1, epoch: 'another' } });
    const context = await followed.events.next('subscribed');
    assert.deepEqual([context.wasRecovering, context.recovered, context.streamPosition?.offset], [true, false, 3]);
    await node.server.publish(channel('log:epoch'), { n: 4 });
    assert.deepEqual(await followed.publications(1), [{ offset: 4, value: { n: 4 } }]);
  });

  test('DEL-9: where history was trimmed meanwhile, the client is told so', async (t) => {
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    const followed = await sdk.follow(channel('short:trimmed'));
    await publishMany(channel('short:trimmed'), 1, 1);
    await followed.publications(1);
    sdk.centrifuge.disconnect();
    await publishMany(channel('short:trimmed'), 2, 20);
    sdk.centrifuge.connect();
    await followed.events.count('subscribed', 2);
    const context = followed.events.all('subscribed')[1];
    assert.deepEqual([context?.wasRecovering, context?.recovered, context?.streamPosition?.offset], [true, false, 20]);
    await publishMany(channel('short:trimmed'), 21, 21);
    assert.equal((await followed.publications(2))[1]?.offset, 21);
  });

  test('DEL-9: exactly what is still kept is recovered', async (t) => {
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    const followed = await sdk.follow(channel('short:edge'));
    await publishMany(channel('short:edge'), 1, 1);
    await followed.publications(1);
    sdk.centrifuge.disconnect();
    await publishMany(channel('short:edge'), 2, 6);
    sdk.centrifuge.connect();
    await assertWhole(followed, 6);
    assert.equal(followed.events.all('subscribed')[1]?.recovered, true);
  });

  test('a client that has its state from elsewhere is answered 112, and loads it again', async (t) => {
    await publishMany(channel('log:state'), 1, 3);
    const { top } = await node.server.history(channel('log:state'), { limit: 0 });
    const positions = [{ offset: 1, epoch: 'another' }, top];
    let loads = 0;
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    const followed = sdk.subscription(channel('log:state'), {
      getState: () => Promise.resolve(positions[Math.min(loads++, 1)]!),
    });
    const context = await followed.events.next('subscribed');
    assert.deepEqual([context.recovered, loads], [true, 2]);
  });

  test('a client that missed nothing recovers nothing', async (t) => {
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    const followed = await sdk.follow(channel('log:nothing'));
    await publishMany(channel('log:nothing'), 1, 2);
    await followed.publications(2);
    sdk.centrifuge.disconnect();
    sdk.centrifuge.connect();
    await followed.events.count('subscribed', 2);
    const context = followed.events.all('subscribed')[1];
    assert.deepEqual([context?.recovered, context?.hasRecoveredPublications], [true, false]);
    await publishMany(channel('log:nothing'), 3, 3);
    await assertWhole(followed, 3);
  });

  test('many subscriptions are recovered at once', async (t) => {
    const { proxy, url } = await proxyBefore(t);
    const sdk = await connectSdk(t, codec, node, { user: 'ann', url });
    const names = Array.from({ length: 40 }, (_, i) => channel(`log:many-${i}`));
    const followed = await Promise.all(names.map((name) => sdk.follow(name)));
    for (const name of names) await publishMany(name, 1, 1);
    await Promise.all(followed.map((one) => one.publications(1)));
    proxy.set({ refuse: true });
    proxy.resetAll();
    await sdk.events.count('connecting', 2);
    for (const name of names) await publishMany(name, 2, 10);
    proxy.heal();
    for (const one of followed) await assertWhole(one, 10);
  });
});

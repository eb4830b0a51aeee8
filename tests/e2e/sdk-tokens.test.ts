import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { eventually, startNode, type StartedNode } from '@tutti/testkit';
import { connectSdk, sdkFor, withBothCodecs } from './official-sdk.ts';

let node: StartedNode;

before(async () => {
  node = await startNode({
    namespaces: { room: {}, vip: { allowSubscribe: 'token', historySize: 10 } },
    // Longer than a second: `ttl` counts whole ones, so a client may ask that much later.
    settings: { tokenGraceMs: 1_500 },
  });
});
after(() => node.close());

/** Whole seconds, as tokens say them: at least one less than that is left. */
const inSeconds = (seconds: number): number => (Math.floor(Date.now() / 1_000) + seconds) * 1_000;
const never = (): Promise<string> => new Promise(() => {});

withBothCodecs('connection tokens that run out', (codec) => {
  test('CON-5: the SDK refreshes, and the connection lives on under the same id', async (t) => {
    let asked = 0;
    const sdk = await connectSdk(t, codec, node, {
      token: await node.token({ user: 'ann', expiresAtMs: inSeconds(2) }),
      getToken: () => {
        asked += 1;
        return node.token({ user: 'ann', expiresAtMs: inSeconds(asked === 1 ? 2 : 3_600) });
      },
    });
    const followed = await sdk.follow(`room:refresh-${codec.name}`);
    await eventually(() => asked >= 2);
    await sdk.publish(`room:refresh-${codec.name}`, 'still here');
    await followed.publications(1);
    assert.equal(sdk.events.all('connected').length, 1);
    assert.equal(sdk.centrifuge.state, 'connected');
  });

  test('CON-5: without a refresh the connection ends with 3005 after the grace, and comes back with a new token', async (t) => {
    let asked = 0;
    const sdk = await connectSdk(t, codec, node, {
      token: await node.token({ user: 'ann', expiresAtMs: inSeconds(2) }),
      getToken: () => {
        asked += 1;
        return asked === 1 ? never() : node.token({ user: 'ann' });
      },
    });
    await sdk.events.count('connecting', 2);
    assert.equal(sdk.events.all('connecting')[1]?.code, 3005);
    await sdk.events.count('connected', 2);
  });

  test('CON-5: a refresh with a token that has run out itself ends with 3005, and the client comes back', async (t) => {
    let asked = 0;
    const sdk = await connectSdk(t, codec, node, {
      token: await node.token({ user: 'ann', expiresAtMs: inSeconds(2) }),
      getToken: () => {
        asked += 1;
        return node.token(asked === 1 ? { user: 'ann', expiresAtMs: Date.now() - 5_000 } : { user: 'ann' });
      },
    });
    await sdk.events.count('connecting', 2);
    assert.equal(sdk.events.all('connecting')[1]?.code, 3005);
    await sdk.events.count('connected', 2);
    assert.deepEqual(sdk.events.all('disconnected'), []);
  });

  test("a refresh with another user's token ends the connection for good", async (t) => {
    const sdk = await connectSdk(t, codec, node, {
      token: await node.token({ user: 'ann', expiresAtMs: inSeconds(2) }),
      getToken: () => node.token({ user: 'bob' }),
    });
    assert.equal((await sdk.events.next('disconnected')).code, 3500);
  });
});

withBothCodecs('subscription tokens', (codec) => {
  const channel = (name: string): string => `vip:${name}-${codec.name}`;

  test('a token opens one channel to one user', async (t) => {
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    await sdk.follow(channel('mine'), {
      token: await node.subscriptionToken({ user: 'ann', channel: channel('mine') }),
    });
    const wrong = {
      [channel('other')]: await node.subscriptionToken({ user: 'ann', channel: channel('mine') }),
      [channel('theirs')]: await node.subscriptionToken({ user: 'bob', channel: channel('theirs') }),
      [channel('nonsense')]: 'nonsense',
      [channel('connection')]: await node.token({ user: 'ann' }),
    };
    for (const [name, token] of Object.entries(wrong)) {
      const { events } = sdk.subscription(name, { token });
      assert.equal((await events.next('unsubscribed')).code, 103, name);
    }
  });

  test('an expired one is answered with 109, and the SDK asks for another', async (t) => {
    const name = channel('expired');
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    const { events } = sdk.subscription(name, {
      token: await node.subscriptionToken({ user: 'ann', channel: name, expiresAtMs: Date.now() - 5_000 }),
      getToken: ({ channel: asked }) => node.subscriptionToken({ user: 'ann', channel: asked }),
    });
    assert.equal((await events.next('error')).error.code, 109);
    await events.next('subscribed');
  });

  test('CON-5: it is refreshed while subscribed, and the subscription lives on', async (t) => {
    const name = channel('refresh');
    let asked = 0;
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    const followed = await sdk.follow(name, {
      getToken: () => {
        asked += 1;
        return node.subscriptionToken({ user: 'ann', channel: name, expiresAtMs: inSeconds(asked < 3 ? 2 : 3_600) });
      },
    });
    await eventually(() => asked >= 3);
    await sdk.publish(name, 'still here');
    await followed.publications(1);
    assert.equal(followed.events.all('subscribed').length, 1);
  });

  test('CON-5: one that is not refreshed ends with 2501; the SDK comes back with a new one and recovers', async (t) => {
    const name = channel('runs-out');
    let asked = 0;
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    const followed = await sdk.follow(name, {
      getToken: () => {
        asked += 1;
        if (asked === 2) return never();
        return node.subscriptionToken({
          user: 'ann',
          channel: name,
          ...(asked === 1 ? { expiresAtMs: inSeconds(2) } : {}),
        });
      },
    });
    await followed.events.count('subscribing', 2);
    assert.equal(followed.events.all('subscribing')[1]?.code, 2501);
    await node.server.publish(name, 'meanwhile');
    await followed.events.count('subscribed', 2);
    assert.equal((await followed.publications(1))[0]?.value, 'meanwhile');
    assert.equal(sdk.events.all('connected').length, 1, 'the connection goes on');
  });

  test('CON-5: a refresh with a token that has run out itself ends with 2501, and the SDK comes back', async (t) => {
    const name = channel('stale');
    let asked = 0;
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    const followed = await sdk.follow(name, {
      getToken: () => {
        asked += 1;
        const expiresAtMs = [inSeconds(2), Date.now() - 5_000][asked - 1];
        return node.subscriptionToken({ user: 'ann', channel: name, ...(expiresAtMs ? { expiresAtMs } : {}) });
      },
    });
    await followed.events.count('subscribing', 2);
    assert.equal(followed.events.all('subscribing')[1]?.code, 2501);
    await followed.events.count('subscribed', 2);
    assert.deepEqual(followed.events.all('unsubscribed'), []);
  });

  test('a client without a way to a new token is told that it lacks one', async (t) => {
    const name = channel('no-getter');
    const sdk = await sdkFor(t, codec, node, { user: 'ann' });
    sdk.centrifuge.connect();
    const { events } = sdk.subscription(name, {
      token: await node.subscriptionToken({ user: 'ann', channel: name, expiresAtMs: Date.now() - 5_000 }),
    });
    assert.equal((await events.next('error')).type, 'configuration');
    assert.equal((await events.next('unsubscribed')).code, 1);
  });
});

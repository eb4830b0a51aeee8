import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startNode, type StartedNode } from '@tutti/testkit';
import { connectSdk, sdkFor, withBothCodecs } from './official-sdk.ts';

let node: StartedNode;
let open: StartedNode;

before(async () => {
  node = await startNode({ namespaces: { room: {} } });
  open = await startNode({ namespaces: { room: {} }, settings: { allowAnonymous: true } });
});
after(async () => {
  await node.close();
  await open.close();
});

withBothCodecs('connect', (codec) => {
  test('a token opens a connection, and it gets an id of its own', async (t) => {
    const first = await connectSdk(t, codec, node, { user: 'ann' });
    const second = await connectSdk(t, codec, node, { user: 'ann' });
    const [one, two] = [first.events.all('connected')[0], second.events.all('connected')[0]];
    assert.equal(one?.transport, 'websocket');
    assert.match(one.client, /^.{16,}$/);
    assert.notEqual(one.client, two?.client);
  });

  test('an anonymous client is refused for good where the node does not allow it', async (t) => {
    const sdk = await sdkFor(t, codec, node);
    sdk.centrifuge.connect();
    assert.deepEqual(await sdk.events.next('disconnected'), { code: 3500, reason: 'invalid token' });
    assert.deepEqual(sdk.events.all('connected'), []);
  });

  test('an anonymous client connects where the node allows it', async (t) => {
    const sdk = await connectSdk(t, codec, open, {});
    await assert.doesNotReject(sdk.centrifuge.ready());
  });

  test('a token of another key is refused for good', async (t) => {
    const other = await startNode({ settings: { tokenHmacSecret: 'quite another secret, and long enough' } });
    t.after(() => other.close());
    const sdk = await sdkFor(t, codec, node, { token: await other.token({ user: 'ann' }) });
    sdk.centrifuge.connect();
    assert.deepEqual(await sdk.events.next('disconnected'), { code: 3500, reason: 'invalid token' });
  });

  test('no token, but nonsense, is refused for good', async (t) => {
    const sdk = await sdkFor(t, codec, node, { token: 'nonsense' });
    sdk.centrifuge.connect();
    assert.equal((await sdk.events.next('disconnected')).code, 3500);
  });

  test('an expired token is answered with 109, and the SDK connects with a new one', async (t) => {
    let asked = 0;
    const sdk = await sdkFor(t, codec, node, {
      token: await node.token({ user: 'ann', expiresAtMs: Date.now() - 5_000 }),
      getToken: () => {
        asked += 1;
        return node.token({ user: 'ann' });
      },
    });
    sdk.centrifuge.connect();
    const refused = await sdk.events.next('error');
    assert.deepEqual([refused.type, refused.error.code, refused.error.message], ['connect', 109, 'token expired']);
    await sdk.events.next('connected');
    assert.equal(asked, 1);
  });

  test('commands that are made before the connection is there are answered after it', async (t) => {
    const sdk = await sdkFor(t, codec, node, { user: 'ann' });
    const followed = sdk.subscription(`room:early-${codec.name}`);
    const published = sdk.publish(`room:early-${codec.name}`, { n: 1 });
    sdk.centrifuge.connect();
    await published;
    await followed.events.next('subscribed');
  });

  test('a client that disconnects can connect again, as another session', async (t) => {
    const sdk = await connectSdk(t, codec, node, { user: 'ann' });
    sdk.centrifuge.disconnect();
    assert.equal((await sdk.events.next('disconnected')).code, 0);
    sdk.centrifuge.connect();
    await sdk.events.next('connected');
    const [first, second] = sdk.events.all('connected');
    assert.notEqual(first?.client, second?.client);
  });
});

import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startNode, type StartedNode } from '@tutti/testkit';
import { ApiError, ApiUnavailable, TuttiApi } from './index.ts';

const timeout = 30_000;
const key = 'the-key-of-tests-that-may-do-all';

async function start(t: TestContext): Promise<{ node: StartedNode; api: TuttiApi }> {
  const node = await startNode({
    settings: { apiKeys: [{ name: 'full', key, allow: ['*'] }] },
    namespaces: { chat: { historySize: 100, presence: true }, live: {} },
  });
  t.after(() => node.close());
  return { node, api: new TuttiApi({ url: `${node.url}/`, key }) };
}

test('every method, typed, against a node', { timeout }, async (t) => {
  const { api } = await start(t);
  const { offset, epoch = '' } = await api.publish('chat:a', { x: 1 }, { tags: { a: 'b' } });
  assert.equal(offset, 1);
  assert.equal((await api.publish('chat:a', 2, { expected_offset: 1, expected_epoch: epoch })).offset, 2);
  const responses = await api.broadcast(['chat:a', 'none:a'], 3);
  assert.deepEqual([responses[0]?.result?.offset, responses[1]?.error?.code], [3, 102]);
  const page = await api.history<{ x: number }>('chat:a', { limit: 1 });
  assert.deepEqual([page.publications[0]?.data.x, page.offset, page.epoch], [1, 3, epoch]);
  await api.historyRemove('chat:a');
  assert.deepEqual(await api.presence('chat:a'), {});
  assert.deepEqual(await api.presenceStats('chat:a'), { num_clients: 0, num_users: 0 });
  assert.deepEqual(await api.lastSeen(['ann']), { ann: { online: false } });
  await api.lastSeenRemove('ann');
  assert.deepEqual(await api.channels({ pattern: 'chat:*' }), { channels: {} });
  assert.deepEqual(await api.connections({ user: 'ann', limit: 5 }), { connections: {} });
  assert.equal((await api.info()).nodes.length, 1);
  await api.subscribe({ user: 'ann' }, 'chat:a', { info: { a: 1 } });
  await api.unsubscribe({ user: 'ann' }, 'chat:a');
  await api.disconnect({ user: 'ann' }, { disconnect: { code: 4_500 } });
  await api.refresh({ user: 'ann' }, { expired: true });
  await api.revoke({ user: 'ann', issued_before: 1 });
  await api.revoke({ jti: 'a', expire_at: 2 });
  await api.revoke({ client: 'c' });
  await assert.rejects(api.within('acme').presenceStats('chat:a'), /has no tenants/);
  const replies = await api.batch([{ publish: { channel: 'live:a', data: 1 } }, { history: {} }], { parallel: true });
  assert.deepEqual([replies[0]?.['publish'], replies[1]?.error?.code], [{}, 107]);
});

test('a refusal is an ApiError with code, status and remedy', { timeout }, async (t) => {
  const { node, api } = await start(t);
  await assert.rejects(api.publish('none:a', 1), (error: unknown) => {
    assert.ok(error instanceof ApiError);
    assert.deepEqual([error.code, error.status, error.temporary], [102, 200, false]);
    assert.match(error.remedy, /namespace/);
    return true;
  });
  await assert.rejects(new TuttiApi({ url: node.url, key: 'wrong' }).info(), { code: 101, status: 401 });
});

test('DEL-6: a publish whose answer is lost is repeated, and takes effect once', { timeout }, async (t) => {
  const { node, api } = await start(t);
  let attempts = 0;
  const losing: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    attempts += 1;
    if (attempts < 3) throw new TypeError('the answer was lost');
    return response;
  };
  const unlucky = new TuttiApi({ url: node.url, key, fetch: losing });
  assert.deepEqual([(await unlucky.publish('chat:a', 1)).duplicate, attempts], [true, 3]);
  assert.equal((await api.history('chat:a')).offset, 1);
});

test(
  'what is not known to be harmless is not repeated; without an answer it is ApiUnavailable',
  { timeout },
  async (t) => {
    const { node } = await start(t);
    let attempts = 0;
    const never: typeof fetch = () => {
      attempts += 1;
      return Promise.reject(new TypeError('nobody there'));
    };
    const api = new TuttiApi({ url: node.url, key, retries: 2, fetch: never });
    await assert.rejects(api.disconnect({ user: 'ann' }), ApiUnavailable);
    assert.equal(attempts, 1);
    await assert.rejects(api.publish('chat:a', 1), ApiUnavailable);
    assert.equal(attempts, 4);
    const elsewhere = new TuttiApi({ url: `${node.url}/health?`, key, retries: 0 });
    await assert.rejects(elsewhere.info(), ApiUnavailable, 'an answer, but none of this API');
  },
);

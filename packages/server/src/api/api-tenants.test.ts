import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiKey } from '@tutti/server/config';
import { connectClient } from '@tutti/testkit';
import { methods } from './methods/index.ts';
import { fullKey, startApi, type Answer, type ApiNodeUnderTest } from './testing/call-api.ts';

const timeout = 30_000;
const acmeKey = 'the-key-of-acme-and-of-nobody-else';
const ownKey = 'the-key-of-the-operators-own-space';
const keys: readonly ApiKey[] = [
  { name: 'full', key: fullKey, allow: ['*'] },
  { name: 'acme', key: acmeKey, allow: ['*'], tenant: 'acme' },
  { name: 'own', key: ownKey, allow: ['*'], tenant: '' },
];

const needed: Readonly<Record<string, object>> = {
  publish: { channel: 'chat:a', data: 1 },
  broadcast: { channels: ['chat:a'], data: 1 },
  last_seen: { users: ['ann'] },
  revoke: { user: 'bob' },
  refresh: { user: 'ann', expire_at: 4_000_000_000 },
};

function params(method: string, tenant?: string): object {
  const rest = needed[method] ?? { channel: 'chat:a', user: 'ann' };
  return { ...rest, ...(tenant === undefined ? {} : { tenant }) };
}

const start = (t: Parameters<typeof startApi>[0], tenantClaim = 'tenant'): Promise<ApiNodeUnderTest> =>
  startApi(t, { keys, settings: { tenantClaim } });

test(
  'S11: with tenants every method but info wants to know whose, and a key of one has no other',
  { timeout },
  async (t) => {
    const api = await start(t);
    const as = (key: string, method: string, tenant?: string): Promise<Answer> =>
      api.call(method, params(method, tenant), { 'X-API-Key': key });
    for (const method of methods.keys()) {
      if (method === 'info') continue;
      assert.match((await as(fullKey, method)).body.error?.message ?? '', /say which in tenant/, method);
      assert.match((await as(fullKey, method, 'a*b')).body.error?.message ?? '', /tenant must be/, method);
      assert.equal((await as(fullKey, method, 'acme')).body.error, undefined, method);
      assert.equal((await as(acmeKey, method, 'acme')).body.error, undefined, method);
      assert.equal((await as(acmeKey, method)).body.error, undefined, method);
      assert.equal((await as(acmeKey, method, 'rival')).body.error?.code, 103, method);
      assert.equal((await as(ownKey, method)).body.error, undefined, method);
      assert.equal((await as(ownKey, method, 'acme')).body.error?.code, 103, method);
    }
    assert.equal((await as(fullKey, 'info')).status, 200);
    assert.equal((await as(acmeKey, 'info')).status, 403);
    const batch = { commands: [{ publish: params('publish', 'rival') }, { publish: params('publish') }, { info: {} }] };
    const { body } = await api.call('batch', batch, { 'X-API-Key': acmeKey });
    const codes = (body.replies as { error?: { code: number } }[]).map(({ error }) => error?.code);
    assert.deepEqual(codes, [103, undefined, 103]);
  },
);

test('S11: without tenants naming one is a mistake that is told', { timeout }, async (t) => {
  const api = await start(t, '');
  const { body } = await api.call('publish', params('publish', 'acme'));
  assert.match(body.error?.message ?? '', /has no tenants/);
  assert.equal((await api.call('publish', params('publish', ''))).body.error, undefined);
});

test('S11: what the API does for a tenant reaches its users, and is not there for others', { timeout }, async (t) => {
  const api = await start(t);
  const connect = async (name: string): Promise<Awaited<ReturnType<typeof connectClient>>> => {
    const client = await connectClient(api.node, { user: 'ann', claims: { tenant: { claim: 'tenant', name } } });
    t.after(() => client.close());
    return client;
  };
  const [acme, rival] = [await connect('acme'), await connect('rival')];
  const heard = [await acme.follow('chat:a'), await rival.follow('chat:a')];
  await api.call('publish', { channel: 'chat:a', data: 'for acme', tenant: 'acme' });
  await heard[0]!.events.count('publication', 1);
  const page = async (tenant: string): Promise<unknown> =>
    (await api.call('history', { channel: 'chat:a', limit: 9, tenant })).body.result?.['publications'];
  assert.equal(((await page('acme')) as unknown[]).length, 1);
  assert.deepEqual(await page('rival'), []);
  const channels = (await api.call('channels', { tenant: 'rival' })).body.result?.['channels'];
  assert.deepEqual(channels, { 'chat:a': { num_clients: 1 } });
  assert.equal((await api.node.server.within('rival').disconnect('ann')).count, 1);
  const { result } = (await api.call('presence_stats', { channel: 'chat:a', tenant: 'acme' })).body;
  assert.deepEqual(result, { num_clients: 1, num_users: 1 });
  assert.throws(() => api.node.server.within('a*b'), /no tenant can have/);
});

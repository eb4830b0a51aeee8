import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectClient, eventually } from '@tutti/testkit';
import { fullKey, startApi, type ApiNodeUnderTest } from './testing/call-api.ts';

const timeout = 30_000;

async function seen(
  { call }: ApiNodeUnderTest,
  user: string,
  more: object = {},
): Promise<{ online: boolean; last_seen?: number } | undefined> {
  const { body, text } = await call('last_seen', { users: [user], ...more });
  assert.ok(body.result !== undefined, text);
  return (body.result['users'] as Record<string, { online: boolean; last_seen?: number }>)[user];
}

test(
  'PRE-2: last_seen: online, then the moment, also after a restart of what reads it; forgotten on request',
  { timeout },
  async (t) => {
    const api = await startApi(t);
    assert.deepEqual(await seen(api, 'ann'), { online: false });
    const ann = await connectClient(api.node, { user: 'ann' });
    t.after(() => ann.close());
    assert.deepEqual(await seen(api, 'ann'), { online: true });
    const before = Date.now();
    ann.close();
    await eventually(async () => (await seen(api, 'ann'))?.online === false);
    const { last_seen: at = 0 } = (await seen(api, 'ann')) ?? {};
    assert.ok(at >= before && at <= Date.now(), `${at - before} ms after`);
    assert.deepEqual(await api.node.server.lastSeen(['bob', 'ann']), [
      { online: false },
      { online: false, lastSeen: at },
    ]);
    assert.deepEqual((await api.call('last_seen_remove', { user: 'ann' })).body.result, {});
    assert.deepEqual(await seen(api, 'ann'), { online: false });
  },
);

test('S11: a user of one tenant is not seen by another', { timeout }, async (t) => {
  const keys = [{ name: 'full', key: fullKey, allow: ['*'] }];
  const api = await startApi(t, { keys, settings: { tenantClaim: 'tenant' } });
  const claims = { tenant: { claim: 'tenant', name: 'acme' } };
  const ann = await connectClient(api.node, { user: 'ann', claims });
  t.after(() => ann.close());
  assert.deepEqual(await seen(api, 'ann', { tenant: 'acme' }), { online: true });
  assert.deepEqual(await seen(api, 'ann', { tenant: 'rival' }), { online: false });
  ann.close();
  await eventually(async () => (await seen(api, 'ann', { tenant: 'acme' }))?.last_seen !== undefined);
  assert.deepEqual((await api.call('last_seen_remove', { user: 'ann', tenant: 'rival' })).body.result, {});
  assert.ok((await seen(api, 'ann', { tenant: 'acme' }))?.last_seen !== undefined);
  assert.deepEqual(await api.node.server.within('rival').lastSeen(['ann']), [{ online: false }]);
});

test('S12: any name may be asked for, each once; what is none, or too much, is refused', { timeout }, async (t) => {
  const { call } = await startApi(t);
  const users = ['__proto__', 'constructor', 'a\nb', 'ä'.repeat(512), '__proto__'];
  const { body } = await call('last_seen', { users });
  assert.deepEqual(Object.keys(body.result?.['users'] as object).sort(), [...new Set(users)].sort());
  const code = async (asked: unknown): Promise<number | undefined> =>
    (await call('last_seen', { users: asked })).body.error?.code;
  assert.equal(await code(['ann', '']), 107);
  assert.equal(await code(['x'.repeat(1_025)]), 107);
  assert.equal(await code(Array.from({ length: 1_001 }, (_, i) => `u${i}`)), 106);
  assert.equal((await call('last_seen', {})).body.error?.code, 107);
  assert.equal((await call('last_seen_remove', {})).body.error?.code, 107);
});

test('PRE-2: turned off, nothing is kept, and asking says how to turn it on', { timeout }, async (t) => {
  const { node, call } = await startApi(t, { settings: { lastSeenTtlMs: 0 } });
  const { body } = await call('last_seen', { users: ['ann'] });
  assert.equal(body.error?.code, 108);
  assert.match(body.error?.message ?? '', /lastSeenTtl/);
  await assert.rejects(node.server.lastSeen(['ann']), /lastSeenTtl/);
});

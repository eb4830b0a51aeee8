import assert from 'node:assert/strict';
import { test } from 'node:test';
import { channelProblem } from './channel-name.ts';
import { channelWithin, isTenantName, tenantOf, wireName } from './tenant.ts';

const names = ['chat:a', 'a', 'chat:a/../b', 'x%2ay', '#$!~', 'chat:é', 'acme', 'acme.chat:a'];

test('S11: tenant and name come out of a channel as they went in, and no two pairs are one channel', () => {
  const made = new Set<string>();
  for (const tenant of ['', 'acme', 'acme.', 'Acme', 'chat', 'a-b_c.d']) {
    for (const name of names) {
      const channel = channelWithin(tenant, name);
      assert.equal(tenantOf(channel), tenant);
      assert.equal(wireName(channel), name);
      made.add(channel);
    }
  }
  assert.equal(made.size, 6 * names.length);
});

test('S11: what a channel of a tenant is called inside is no name that a client can send', () => {
  for (const name of names) assert.notEqual(channelProblem(channelWithin('acme', name), 255), undefined);
});

test('S11: a tenant has a plain name', () => {
  for (const name of ['acme', 'A.b-c_9', 'x'.repeat(64)]) assert.ok(isTenantName(name), name);
  for (const name of ['', 'x'.repeat(65), 'a*b', 'a:b', 'a/b', 'a b', 'é', 'a\n', '\u0000'])
    assert.ok(!isTenantName(name), JSON.stringify(name));
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ApiKey } from '@tutti/server/config';
import { methods } from './methods/index.ts';
import { startApi, type Answer, type ApiNodeUnderTest } from './testing/call-api.ts';
import { apiMethodNames } from '../config/api-key.ts';

const timeout = 30_000;
const long = 'x'.repeat(24);

const keys: readonly ApiKey[] = [
  { name: 'all', key: `all-${long}`, allow: ['*'] },
  { name: 'writer', key: `writer-${long}`, allow: ['publish', 'broadcast'] },
  { name: 'chat', key: `chat-${long}`, allow: ['*'], channels: ['chat:*', 'live:one'] },
  { name: 'chat-info', key: `chat-info-${long}`, allow: ['info', 'channels'], channels: ['chat:*'] },
];

const params: Readonly<Record<string, object>> = {
  publish: { data: 1 },
  subscribe: { user: 'u' },
  unsubscribe: { user: 'u' },
  disconnect: { user: 'u' },
  refresh: { user: 'u', expired: true },
  revoke: { user: 'u' },
};

function call(api: ApiNodeUnderTest, key: string, method: string, channel: string): Promise<Answer> {
  const extras = method === 'broadcast' ? { channels: [channel], data: 1 } : { channel, ...params[method] };
  return api.call(method, extras, { 'X-API-Key': `${key}-${long}` });
}

/** `yes`, or how it is refused. */
async function verdict(api: ApiNodeUnderTest, key: string, method: string, channel: string): Promise<string> {
  const { status, body } = await call(api, key, method, channel);
  const responses = body.result?.['responses'] as { error?: { code: number } }[] | undefined;
  const code = body.error?.code ?? responses?.[0]?.error?.code;
  if (status !== 200) return String(status);
  return code === 103 ? 'channel' : 'yes';
}

test('S36: the rights of a key: methods, channels, and what concerns no channel', { timeout }, async (t) => {
  const api = await startApi(t, { keys });
  const byUser = ['disconnect', 'refresh', 'revoke', 'last_seen', 'last_seen_remove', 'connections', 'info'];
  for (const method of methods.keys()) {
    assert.equal(await verdict(api, 'all', method, 'chat:a'), 'yes', method);
    const isWriting = method === 'publish' || method === 'broadcast';
    assert.equal(await verdict(api, 'writer', method, 'chat:a'), isWriting ? 'yes' : '403', method);
    if (byUser.includes(method)) {
      assert.equal(await verdict(api, 'chat', method, 'chat:a'), '403', method);
      continue;
    }
    const elsewhere = method === 'channels' ? 'yes' : 'channel';
    assert.equal(await verdict(api, 'chat', method, 'chat:a'), 'yes', method);
    assert.equal(await verdict(api, 'chat', method, 'live:one'), 'yes', method);
    for (const channel of ['live:one-more', 'live:two', 'chat', 'chatter:a', 'durable:a']) {
      assert.equal(await verdict(api, 'chat', method, channel), elsewhere, `${method} ${channel}`);
    }
  }
  assert.equal(await verdict(api, 'chat-info', 'info', ''), 'yes');
});

test('S36: a batch gives no right that its commands do not have', { timeout }, async (t) => {
  const api = await startApi(t, { keys });
  const commands = [{ publish: { channel: 'chat:a', data: 1 } }, { info: {} }, { history: { channel: 'chat:a' } }];
  const { body } = await api.call('batch', { commands }, { 'X-API-Key': `writer-${long}` });
  const codes = (body.replies as { error?: { code: number } }[]).map(({ error }) => error?.code);
  assert.deepEqual(codes, [undefined, 103, 103]);
});

test('S36: a key that is bound to channels sees no other', { timeout }, async (t) => {
  const api = await startApi(t, { keys });
  const { connectClient } = await import('@tutti/testkit');
  const client = await connectClient(api.node, { user: 'ann' });
  t.after(() => client.close());
  for (const channel of ['chat:a', 'live:secret', 'live:one']) await client.follow(channel);
  const { body } = await call(api, 'chat', 'channels', '');
  assert.deepEqual(Object.keys(body.result?.['channels'] as object), ['chat:a', 'live:one']);
});

test(
  'S36, S29: who has no key is 401; both headers are read; a closed API says how to open it',
  { timeout },
  async (t) => {
    const api = await startApi(t, { keys });
    const info = (headers: Record<string, string>): Promise<Response> =>
      fetch(`${api.node.url}/api/info`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', ...headers },
      });
    const refused: Record<string, string>[] = [
      {},
      { 'X-API-Key': '' },
      { 'X-API-Key': 'wrong' },
      { 'X-API-Key': `all-${long}x` },
      { 'X-API-Key': `all-${long}`.toUpperCase() },
      { Authorization: `Bearer all-${long}` },
      { Authorization: 'apikey' },
      { Authorization: `apikey ${'x'.repeat(5_000)}` },
    ];
    for (const headers of refused) assert.equal((await info(headers)).status, 401, JSON.stringify(headers));
    assert.equal((await info({ 'X-API-Key': `all-${long}` })).status, 200);
    assert.equal((await info({ Authorization: `apikey all-${long}` })).status, 200);
    assert.equal((await fetch(`${api.node.url}/api/info?api_key=all-${long}`, { method: 'POST' })).status, 401);
    const metrics = await (await fetch(api.node.server.metricsUrl)).text();
    assert.match(metrics, /tutti_api_requests_total\{key="all"\} 2/);
    assert.match(metrics, new RegExp(`tutti_api_refused_total\\{reason="key"\\} ${refused.length + 1}`));
    assert.equal(metrics.includes(long), false);

    const closed = await startApi(t, { keys: [] });
    const answer = await closed.call('info');
    assert.equal(answer.status, 403);
    assert.match(answer.body.error?.remedy ?? '', /Configure apiKeys .*TUTTI_API_KEYS/);
  },
);

test('the methods that a configuration may allow are the methods there are', () => {
  assert.deepEqual([...apiMethodNames], [...methods.keys()]);
});

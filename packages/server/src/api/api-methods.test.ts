import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectClient } from '@tutti/testkit';
import { startApi, type Answer } from './testing/call-api.ts';

const timeout = 30_000;

function resultOf(answer: Answer): Readonly<Record<string, unknown>> {
  assert.equal(answer.status, 200, answer.text);
  assert.ok(answer.body.result !== undefined, answer.text);
  return answer.body.result;
}

function codeOf({ status, body, text }: Answer): number {
  assert.equal(status, 200, text);
  return body.error?.code ?? 0;
}

test(
  'publish: a subscriber has it, with key, tags and offset; numbers survive as they were written',
  { timeout },
  async (t) => {
    const { node, call } = await startApi(t);
    const client = await connectClient(node, { user: 'ann' });
    t.after(() => client.close());
    const { events } = await client.follow('chat:general');
    const body =
      '{"channel":"chat:general","data":{"n": 12345678901234567890.10},"key":"k","tags":{"a":"b"},"final":true}';
    const { offset, epoch } = resultOf(await call('publish', body));
    assert.equal(offset, 1);
    assert.equal(typeof epoch, 'string');
    const heard = await events.next('publication');
    assert.deepEqual([heard.offset, heard.tags], [1, { a: 'b' }]);
    const kept = await call('history', { channel: 'chat:general', limit: 10 });
    assert.match(kept.text, /"data":\{"n": 12345678901234567890\.10\}/);
    const [publication] = resultOf(kept)['publications'] as Record<string, unknown>[];
    assert.deepEqual([publication?.['key'], publication?.['final'], publication?.['tags']], ['k', true, { a: 'b' }]);
  },
);

test(
  'DEL-6: a publish repeated with its idempotency key takes effect once; a user cannot meet that key',
  { timeout },
  async (t) => {
    const { call } = await startApi(t);
    const params = { channel: 'durable:a', data: 1, idempotency_key: 'once' };
    const first = resultOf(await call('publish', params));
    assert.deepEqual(resultOf(await call('publish', params)), { ...first, duplicate: true });
    assert.equal(resultOf(await call('history', { channel: 'durable:a' }))['offset'], 1);
  },
);

test('publish: an expected position is compared; what has no position says so', { timeout }, async (t) => {
  const { call } = await startApi(t);
  const at = (offset: number, epoch?: unknown): Promise<Answer> =>
    call('publish', { channel: 'chat:a', data: 1, expected_offset: offset, expected_epoch: epoch });
  const { epoch } = resultOf(await at(0));
  assert.equal(resultOf(await at(1, epoch))['offset'], 2);
  assert.equal(codeOf(await at(1, epoch)), 121);
  assert.equal(codeOf(await at(2, 'other')), 121);
  assert.equal(codeOf(await call('publish', { channel: 'chat:a', data: 1, expected_epoch: 'x' })), 107);
  assert.deepEqual(resultOf(await call('publish', { channel: 'live:a', data: 1, skip_history: true })), {});
  assert.equal(codeOf(await call('publish', { channel: 'chat:a', data: 1, skip_history: true })), 108);
  assert.equal(codeOf(await call('publish', { channel: 'chat:a', data: 1, version: 3 })), 108);
  assert.deepEqual(resultOf(await call('publish', { channel: 'live:a', data: 1, version: 0, delta: true })), {});
});

test('publish: bytes as base64, in channels of bytes and of JSON', { timeout }, async (t) => {
  const { call } = await startApi(t);
  resultOf(await call('publish', { channel: 'bytes:a', b64data: '/wAB' }));
  const page = resultOf(await call('history', { channel: 'bytes:a', limit: 1 }));
  assert.equal((page['publications'] as Record<string, unknown>[])[0]?.['b64data'], '/wAB');
  const json = Buffer.from('{"a":1}').toString('base64');
  resultOf(await call('publish', { channel: 'chat:a', b64data: json }));
  assert.equal(codeOf(await call('publish', { channel: 'chat:a', b64data: '/wAB' })), 107);
  assert.equal(codeOf(await call('publish', { channel: 'chat:a', b64data: 'a' })), 107);
  assert.equal(codeOf(await call('publish', { channel: 'chat:a', b64data: json, data: 1 })), 107);
});

test('broadcast: each channel is answered for itself, in the order asked', { timeout }, async (t) => {
  const { call } = await startApi(t);
  const channels = ['chat:a', 'nowhere:b', 'live:c', 'chat:a'];
  const { responses } = resultOf(await call('broadcast', { channels, data: { x: 1 }, idempotency_key: 'b' }));
  const [a, nowhere, live, again] = responses as { result?: Record<string, unknown>; error?: { code: number } }[];
  assert.equal(a?.result?.['offset'], 1);
  assert.equal(nowhere?.error?.code, 102);
  assert.deepEqual(live, { result: {} });
  assert.deepEqual([again?.result?.['offset'], again?.result?.['duplicate']], [1, true]);
  const many = Array.from({ length: 450 }, (_, i) => `live:${i}`);
  assert.equal((resultOf(await call('broadcast', { channels: many, data: 1 }))['responses'] as []).length, 450);
  assert.equal(codeOf(await call('broadcast', { channels: [], data: 1 })), 107);
  assert.equal(codeOf(await call('broadcast', { channels: ['live:a'] })), 107);
});

test('history: pages by position, newest first, a foreign epoch, and removal', { timeout }, async (t) => {
  const { call } = await startApi(t);
  for (const data of [1, 2, 3, 4]) resultOf(await call('publish', { channel: 'chat:a', data }));
  const top = resultOf(await call('history', { channel: 'chat:a' }));
  assert.deepEqual([top['publications'], top['offset']], [[], 4]);
  const since = { offset: 1, epoch: top['epoch'] };
  const dataOf = (answer: Answer): unknown[] =>
    (resultOf(answer)['publications'] as { data: unknown }[]).map(({ data }) => data);
  assert.deepEqual(dataOf(await call('history', { channel: 'chat:a', limit: 2, since })), [2, 3]);
  assert.deepEqual(dataOf(await call('history', { channel: 'chat:a', limit: -1, reverse: true })), [4, 3, 2, 1]);
  assert.equal(codeOf(await call('history', { channel: 'chat:a', since: { offset: 1, epoch: 'x' } })), 112);
  assert.equal(codeOf(await call('history', { channel: 'live:a' })), 108);
  assert.deepEqual(resultOf(await call('history_remove', { channel: 'chat:a' })), {});
  const after = resultOf(await call('history', { channel: 'chat:a', limit: 10 }));
  assert.deepEqual([after['publications'], after['offset']], [[], 4]);
});

test('presence, connections, channels and info show who is there, page by page', { timeout }, async (t) => {
  const { node, call } = await startApi(t);
  for (const user of ['ann', 'ann', 'bob']) {
    const client = await connectClient(node, { user });
    t.after(() => client.close());
    for (const channel of ['chat:a', 'chat:b', 'live:c']) await client.follow(channel);
  }
  const { presence } = resultOf(await call('presence', { channel: 'chat:a' }));
  const members = Object.entries(presence as Record<string, { user: string; client: string }>);
  assert.deepEqual(members.map(([, { user }]) => user).sort(), ['ann', 'ann', 'bob']);
  assert.ok(members.every(([id, { client }]) => id === client));
  assert.deepEqual(resultOf(await call('presence_stats', { channel: 'chat:a' })), { num_clients: 3, num_users: 2 });
  assert.equal(codeOf(await call('presence', { channel: 'live:c' })), 108);
  const some = resultOf(await call('presence', { channel: 'chat:a', limit: 2 }));
  const rest = resultOf(await call('presence', { channel: 'chat:a', limit: 2, cursor: some['next_cursor'] }));
  const paged = [some, rest].map((page) => Object.keys(page['presence'] as object));
  assert.deepEqual([paged[0]?.length, paged.flat().sort()], [2, members.map(([id]) => id).sort()]);
  assert.equal(rest['next_cursor'], undefined);

  const first = resultOf(await call('channels', { limit: 2 }));
  assert.deepEqual(first, {
    channels: { 'chat:a': { num_clients: 3 }, 'chat:b': { num_clients: 3 } },
    next_cursor: 'chat:b',
  });
  assert.deepEqual(resultOf(await call('channels', { limit: 2, cursor: first['next_cursor'] })), {
    channels: { 'live:c': { num_clients: 3 } },
  });
  assert.deepEqual(Object.keys(resultOf(await call('channels', { pattern: 'live:*' }))['channels'] as object), [
    'live:c',
  ]);

  const seen = new Set<string>();
  let cursor: unknown = '';
  do {
    const page = resultOf(await call('connections', { limit: 1, cursor }));
    for (const [id, facts] of Object.entries(page['connections'] as Record<string, Record<string, unknown>>)) {
      seen.add(id);
      assert.deepEqual([facts['transport'], facts['protocol'], facts['num_subs']], ['websocket', 'json', 3]);
      assert.ok(Number.isSafeInteger(facts['lag_bytes']));
    }
    cursor = page['next_cursor'];
  } while (cursor !== undefined);
  assert.deepEqual(seen, new Set(members.map(([id]) => id)));
  assert.equal(Object.keys(resultOf(await call('connections', { user: 'ann' }))['connections'] as object).length, 2);

  const [facts] = resultOf(await call('info'))['nodes'] as Record<string, unknown>[];
  assert.deepEqual(
    [facts?.['num_clients'], facts?.['num_users'], facts?.['num_channels'], facts?.['num_subs']],
    [3, 2, 3, 9],
  );
});

test(
  'subscribe: the server puts a user into a channel, from a position on; unsubscribe takes it out',
  { timeout },
  async (t) => {
    const { node, call } = await startApi(t);
    const client = await connectClient(node, { user: 'ann' });
    const other = await connectClient(node, { user: 'bob' });
    t.after(() => {
      client.close();
      other.close();
    });
    for (const data of [1, 2, 3]) resultOf(await call('publish', { channel: 'chat:a', data }));
    const params = {
      user: 'ann',
      channel: 'chat:a',
      info: { role: 'x' },
      data: { hello: 1 },
      recover_since: { offset: 1 },
    };
    const { epoch } = resultOf(await call('history', { channel: 'chat:a' }));
    Object.assign(params.recover_since, { epoch });
    assert.deepEqual(resultOf(await call('subscribe', params)), {});
    const subscribed = await client.events.next('subscribed');
    assert.deepEqual([subscribed.channel, subscribed.data], ['chat:a', { hello: 1 }]);
    resultOf(await call('publish', { channel: 'chat:a', data: 4 }));
    for (const offset of [2, 3, 4]) assert.equal((await client.events.next('publication')).offset, offset);
    resultOf(await call('subscribe', params));
    const { presence } = resultOf(await call('presence', { channel: 'chat:a' }));
    const [member, ...more] = Object.values(presence as Record<string, Record<string, unknown>>);
    assert.deepEqual([member?.['user'], member?.['chan_info'], more], ['ann', { role: 'x' }, []]);
    assert.deepEqual(resultOf(await call('unsubscribe', { user: 'ann', channel: 'chat:a' })), {});
    assert.equal((await client.events.next('unsubscribed')).channel, 'chat:a');
    assert.equal(resultOf(await call('presence_stats', { channel: 'chat:a' }))['num_clients'], 0);
    assert.deepEqual(resultOf(await call('subscribe', { user: 'nobody', channel: 'chat:a' })), {});
    assert.equal(codeOf(await call('subscribe', { channel: 'chat:a' })), 107);
    assert.equal(codeOf(await call('subscribe', { user: 'ann', channel: 'nowhere:a' })), 102);
    assert.equal(codeOf(await call('unsubscribe', { user: 'ann', session: 's', channel: 'chat:a' })), 108);
  },
);

test('disconnect and refresh: by user, by client, with a whitelist and a code', { timeout }, async (t) => {
  const { node, call } = await startApi(t);
  const clients = await Promise.all(['ann', 'ann', 'bob'].map((user) => connectClient(node, { user })));
  t.after(() => {
    for (const client of clients) client.close();
  });
  const connected = await call('connections', { user: 'ann' });
  const [spared = '', ended = ''] = Object.keys(resultOf(connected)['connections'] as object);
  const left = async (): Promise<string[]> =>
    Object.keys(resultOf(await call('connections', { user: 'ann' }))['connections'] as object);
  const disconnect = { code: 4_500, reason: 'bye' };
  assert.deepEqual(resultOf(await call('disconnect', { user: 'ann', whitelist: [spared], disconnect })), {});
  assert.deepEqual(await left(), [spared]);
  resultOf(await call('disconnect', { user: 'bob', client: spared }));
  assert.deepEqual(await left(), [spared], 'a client of another user is left alone');
  resultOf(await call('refresh', { user: 'ann', expire_at: Math.ceil(Date.now() / 1_000) + 3_600 }));
  assert.deepEqual(await left(), [spared]);
  assert.notEqual(ended, '');
  resultOf(await call('disconnect', { client: spared }));
  assert.deepEqual(await left(), []);
  assert.equal(codeOf(await call('refresh', { user: 'ann' })), 107);
  assert.equal(codeOf(await call('disconnect', { user: 'ann', disconnect: { code: 1_000 } })), 107);
  assert.equal(codeOf(await call('disconnect', {})), 107);
});

test(
  'batch: replies in order, one after the other or all at once; an error ends its command alone',
  { timeout },
  async (t) => {
    const { call } = await startApi(t);
    for (const parallel of [false, true]) {
      const channel = `chat:${parallel}`;
      const commands = [
        { publish: { channel, data: 1 } },
        { publish: { channel: 'nowhere:a', data: 1 } },
        { publish: { data: 1 } },
        ...(parallel ? [] : [{ history: { channel, limit: 5 } }]),
        { info: {} },
      ];
      const { status, body } = await call('batch', { commands, parallel });
      assert.equal(status, 200);
      const replies = body.replies as Record<string, { code?: number; offset?: number; publications?: unknown[] }>[];
      assert.equal(replies.length, commands.length);
      assert.equal(replies[0]?.['publish']?.offset, 1);
      assert.deepEqual([replies[1]?.['error']?.code, replies[2]?.['error']?.code], [102, 107]);
      if (!parallel) assert.equal(replies[3]?.['history']?.publications?.length, 1, 'sees what came before it');
      assert.ok(replies.at(-1)?.['info'] !== undefined);
    }
    assert.deepEqual((await call('batch', { commands: [] })).body, { replies: [] });
    assert.equal(codeOf(await call('batch', { commands: [{ rpc: {} }] })), 104);
    assert.equal(codeOf(await call('batch', { commands: [{}] })), 107);
    const tooMany = { commands: Array.from({ length: 1_001 }, () => ({ info: {} })) };
    assert.equal(codeOf(await call('batch', tooMany)), 106);
  },
);

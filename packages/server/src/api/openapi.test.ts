import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectClient } from '@tutti/testkit';
import type { FieldTable } from './fields.ts';
import { methods } from './methods/index.ts';
import type { JsonSchema } from './openapi.ts';
import { fullKey, startApi } from './testing/call-api.ts';
import { answerSchema, misfits } from './testing/matches-schema.ts';

const timeout = 30_000;

test(
  'the document is served to everybody, and has every method and every field that is read',
  { timeout },
  async (t) => {
    const { node } = await startApi(t);
    const response = await fetch(`${node.url}/api/openapi.json`);
    assert.equal(response.status, 200);
    const document = (await response.json()) as Record<string, never> & { paths: Record<string, unknown> };
    assert.equal(document['openapi'], '3.1.0');
    assert.deepEqual(
      Object.keys(document.paths),
      [...methods.keys(), 'batch'].map((name) => `/api/${name}`),
    );
    for (const { name, params } of methods.values()) {
      const post = (document.paths[`/api/${name}`] as { post: Record<string, never> }).post as Record<string, unknown>;
      assert.deepEqual(properties(post), fieldsOf(params), name);
    }
    const text = JSON.stringify(document);
    for (const [, reference = ''] of text.matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      const found = reference
        .split('/')
        .reduce<unknown>((part, step) => (part as Record<string, unknown>)[step], document);
      assert.ok(found !== undefined, reference);
    }
  },
);

test(
  'every method answers as the document says, and an answer that does not fit is noticed',
  { timeout },
  async (t) => {
    const { node, call } = await startApi(t);
    const client = await connectClient(node, { user: 'ann', claims: { info: { name: 'Ann' } } });
    t.after(() => client.close());
    await client.follow('chat:a');
    await client.tutti.publish('chat:a', { by: 'a client' });
    const document = (await (await fetch(`${node.url}/api/openapi.json`)).json()) as JsonSchema;
    const publication = { channel: 'chat:a', data: [1], key: 'k', tags: { a: 'b' }, final: true, idempotency_key: 'i' };
    const asked: [method: string, params: object][] = [
      ['publish', publication],
      ['publish', publication],
      ['publish', { channel: 'none:a', data: 1 }],
      ['publish', { channel: 'bytes:a', b64data: 'AAAA' }],
      ['broadcast', { channels: ['chat:a', 'none:a', 'live:a'], data: 1 }],
      ['subscribe', { user: 'ann', channel: 'live:b' }],
      ['unsubscribe', { user: 'ann', channel: 'live:b' }],
      ['presence', { channel: 'chat:a' }],
      ['presence_stats', { channel: 'chat:a' }],
      ['last_seen', { users: ['ann', 'bob'] }],
      ['last_seen_remove', { user: 'bob' }],
      ['revoke', { user: 'bob' }],
      ['revoke', { jti: 'a-token', expire_at: 4_000_000_000 }],
      ['history', { channel: 'chat:a', limit: 10 }],
      ['history', { channel: 'bytes:a', limit: 10 }],
      ['history_remove', { channel: 'chat:a' }],
      ['channels', { limit: 1 }],
      ['connections', { limit: 1 }],
      ['info', {}],
      ['refresh', { user: 'ann', expire_at: 99_999_999_999 }],
      ['disconnect', { user: 'ann' }],
      ['batch', { commands: [{ publish: publication }, { info: {} }, { history: { channel: 'live:a' } }] }],
    ];
    assert.deepEqual(new Set(asked.map(([method]) => method)), new Set([...methods.keys(), 'batch']));
    for (const [method, params] of asked) {
      const { status, body, text } = await call(method, params);
      assert.equal(status, 200, text);
      assert.deepEqual(misfits(body, answerSchema(document, method), document), [], `${method}: ${text}`);
    }
    assert.notDeepEqual(misfits({ result: { offset: 'x' } }, answerSchema(document, 'publish'), document), []);
    assert.notDeepEqual(misfits({ result: { more: 1 } }, answerSchema(document, 'publish'), document), []);
    assert.notDeepEqual(misfits({}, answerSchema(document, 'publish'), document), []);
    const refused = await call('publish', {}, { 'X-API-Key': `not ${fullKey}` });
    const { Error: error } = (document['components'] as { schemas: { Error: JsonSchema } }).schemas;
    assert.deepEqual(misfits(refused.body.error, error, document), []);
  },
);

function fieldsOf(table: FieldTable): string[] {
  return Object.keys(table).filter((name) => table[name]?.type !== 'refused');
}

function properties(post: Record<string, unknown>): string[] {
  const { content } = post['requestBody'] as { content: { 'application/json': { schema: { properties: object } } } };
  return Object.keys(content['application/json'].schema.properties);
}

import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { rawExchange } from '@tutti/testkit';
import { fullKey, startApi } from './testing/call-api.ts';

const timeout = 30_000;

test('S13: what is no such JSON is answered with 400, saying where, and the node goes on', { timeout }, async (t) => {
  const { call } = await startApi(t);
  const hostile: [body: string, message: RegExp][] = [
    ['{', /json/],
    ['[]', /expected \{/],
    ['"x"', /expected \{/],
    ['null', /expected \{/],
    ['{"channel":"chat:a","data":1} x', /expected the end/],
    ['{"channel":1,"data":1}', /in channel: json: expected a text/],
    ['{"channel":["chat:a"],"data":1}', /in channel/],
    ['{"channel":"chat:a","data":1,"final":"yes"}', /in final/],
    ['{"channel":"chat:a","data":1,"expected_offset":-1}', /in expected_offset/],
    ['{"channel":"chat:a","data":1,"expected_offset":1.5}', /in expected_offset/],
    ['{"channel":"chat:a","data":1,"expected_offset":99999999999999999999}', /in expected_offset/],
    ['{"channel":"chat:a","data":1,"tags":{"a":1}}', /in tags/],
    ['{"channel":"chat:a","data":1,"tags":{"a":"1","a":"2"}}', /in tags.*twice/],
    ['{"channel":"chat:a","channel":"chat:b","data":1}', /twice/],
    ['{"other":1,"other":2,"channel":"chat:a","data":1}', /twice/],
    [`{"channel":"chat:a","data":${'['.repeat(40)}${']'.repeat(40)}}`, /in data.*deep/],
    [`{"channel":"chat:a","x":${'['.repeat(5_000)}${']'.repeat(5_000)},"data":1}`, /deep/],
    ['{"channel":"chat:a","data":"\\ud800"}', /in data.*surrogate/],
    [`{${Array.from({ length: 1_100 }, (_, i) => `"m${i}":1`).join(',')}}`, /too many members/],
  ];
  for (const [body, message] of hostile) {
    const answer = await call('publish', body);
    assert.equal(answer.status, 400, `${body.slice(0, 80)}: ${answer.text}`);
    assert.equal(answer.body.error?.code, 107);
    assert.match(answer.body.error?.message ?? '', message, body.slice(0, 80));
  }
  const bytes = Buffer.concat([Buffer.from('{"channel":"chat:'), Buffer.of(0xff), Buffer.from('","data":1}')]);
  assert.equal((await call('publish', bytes)).status, 400, 'S18');
  assert.equal((await call('publish', { channel: 'chat:a', data: 1 })).body.result?.['offset'], 1);
});

test('S12: names such as __proto__ are ordinary, and unknown members are ignored', { timeout }, async (t) => {
  const { call } = await startApi(t);
  const body =
    '{"__proto__":{"channel":"chat:x"},"constructor":1,"toString":[],"channel":"chat:__proto__","data":{"__proto__":1},"new":{"a":[1]}}';
  assert.equal((await call('publish', body)).body.result?.['offset'], 1);
  const { text } = await call('history', { channel: 'chat:__proto__', limit: 1 });
  assert.match(text, /"data":\{"__proto__":1\}/);
  const tags = '{"channel":"chat:a","data":1,"tags":{"__proto__":"x"}}';
  assert.equal((await call('publish', tags)).body.error?.code, 107);
  assert.equal((await call('batch', '{"commands":[{"__proto__":{}}]}')).body.error?.code, 104);
  assert.equal((await call('constructor', {})).status, 404);
  assert.equal((await call('__proto__', {})).status, 404);
});

test(
  'missing and null members, and names that no channel can have, are errors of the method',
  { timeout },
  async (t) => {
    const { call } = await startApi(t);
    const bad: [params: object, code: number][] = [
      [{}, 107],
      [{ channel: 'chat:a' }, 107],
      [{ channel: 'chat:a', data: null }, 107],
      [{ channel: '', data: 1 }, 107],
      [{ channel: null, data: 1 }, 107],
      [{ channel: 'chat:*', data: 1 }, 107],
      [{ channel: 'chat:a\n', data: 1 }, 107],
      [{ channel: 'x'.repeat(300), data: 1 }, 107],
      [{ channel: 'x'.repeat(30_000), data: 1 }, 107],
      [{ channel: 'none:a', data: 1 }, 102],
      [{ channel: 'chat:a', data: 1, idempotency_key: 'x'.repeat(129) }, 107],
      [{ channel: 'chat:a', data: 1, key: 'x'.repeat(256) }, 107],
      [
        { channel: 'chat:a', data: 1, tags: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`t${i}`, 'x'])) },
        107,
      ],
    ];
    for (const [params, code] of bad) {
      const answer = await call('publish', params);
      assert.deepEqual([answer.status, answer.body.error?.code], [200, code], JSON.stringify(params).slice(0, 80));
    }
    assert.equal((await call('info', '')).status, 200, 'an empty body is an empty object');
  },
);

test('a body that is too large is 413, with and without its length, and is not kept', { timeout }, async (t) => {
  const { node, call } = await startApi(t, {
    settings: { apiKeys: [{ name: 'full', key: fullKey, allow: ['*'] }], apiBodyBytesMax: 2_048 },
  });
  const large = JSON.stringify({ channel: 'chat:a', data: 'x'.repeat(3_000_000) });
  const answer = await call('publish', large);
  assert.deepEqual([answer.status, answer.body.error?.code], [413, 106]);
  const chunked = await new Promise<number>((resolve, reject) => {
    const headers = { 'X-API-Key': fullKey, 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' };
    const sent = request(`${node.url}/api/publish`, { method: 'POST', headers }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on('error', reject);
    for (let i = 0; i < 10; i += 1) sent.write('x'.repeat(1_000));
    sent.end();
  });
  assert.equal(chunked, 413);
  const promised = `POST /api/publish HTTP/1.1\r\nHost: a\r\nX-API-Key: ${fullKey}\r\nContent-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n`;
  assert.deepEqual([(await rawExchange(node.port, promised)).status], [413]);
  assert.equal((await call('publish', { channel: 'chat:a', data: 1 })).status, 200);
});

test('type, encoding, method and path: each refusal says what to do', { timeout }, async (t) => {
  const { node, call } = await startApi(t);
  const form = await call('publish', 'a=b', { 'Content-Type': 'application/x-www-form-urlencoded' });
  assert.deepEqual(
    [form.status, form.body.error?.remedy],
    [415, 'Send the header Content-Type: application/json (curl: --json).'],
  );
  assert.equal((await call('publish', {}, { 'Content-Encoding': 'gzip' })).status, 415);
  assert.equal((await call('info', {}, { 'Content-Type': 'application/json; charset=utf-8' })).status, 200);
  const unknown = await call('nothing');
  assert.equal(unknown.status, 404);
  assert.match(unknown.body.error?.remedy ?? '', /^There is: publish, broadcast, .*, batch, openapi\.json\.$/);
  const get = await fetch(`${node.url}/api/publish`);
  assert.deepEqual([get.status, get.headers.get('allow')], [405, 'POST']);
  const preflight = await fetch(`${node.url}/api/publish`, {
    method: 'OPTIONS',
    headers: { Origin: 'https://evil.example' },
  });
  assert.deepEqual([preflight.status, preflight.headers.get('access-control-allow-origin')], [405, null], 'S1');
});

test('one connection serves many requests', { timeout }, async (t) => {
  const { node } = await startApi(t);
  const one = `POST /api/info HTTP/1.1\r\nHost: a\r\nX-API-Key: ${fullKey}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`;
  const last = one.replace('Host: a', 'Host: a\r\nConnection: close');
  const answer = await rawExchange(node.port, `${one}${last}`);
  assert.equal(answer.text.match(/HTTP\/1\.1 200/g)?.length, 2);
});

test('too many requests at once are told to come back', { timeout }, async (t) => {
  const { node, call } = await startApi(t, {
    settings: { apiKeys: [{ name: 'full', key: fullKey, allow: ['*'] }], apiRequestsMax: 1 },
  });
  // Its headers are here and its body is not: it has the only place.
  const headers = { 'X-API-Key': fullKey, 'Content-Type': 'application/json', 'Content-Length': '2' };
  const slow = request(`${node.url}/api/info`, { method: 'POST', headers });
  const slowStatus = new Promise((resolve, reject) => {
    slow.on('response', (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    slow.on('error', reject);
  });
  slow.flushHeaders();
  let refused = await call('info');
  while (refused.status === 200) refused = await call('info');
  assert.deepEqual(
    [refused.status, refused.headers.get('retry-after'), refused.body.error?.temporary],
    [503, '1', true],
  );
  slow.end('{}');
  assert.equal(await slowStatus, 200);
  assert.equal((await call('info')).status, 200);
});

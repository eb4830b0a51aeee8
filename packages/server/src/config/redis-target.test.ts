import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isRedisUrl, parseRedisUrl } from './redis-target.ts';

const plain = {
  username: '',
  password: '',
  db: 0,
  tls: false,
  masterName: '',
  sentinelUsername: '',
  sentinelPassword: '',
};

test('URLs of one server, of Sentinels and of a Cluster', () => {
  assert.deepEqual(parseRedisUrl('redis://cache'), {
    ...plain,
    kind: 'single',
    hosts: [{ host: 'cache', port: 6379 }],
  });
  assert.deepEqual(parseRedisUrl('rediss://ann:p%40ss@[::1]:7000/3'), {
    ...plain,
    kind: 'single',
    hosts: [{ host: '::1', port: 7000 }],
    username: 'ann',
    password: 'p@ss',
    db: 3,
    tls: true,
  });
  assert.deepEqual(parseRedisUrl('redis+sentinel://:secret@a,b:1/main/2?sentinelPassword=s'), {
    ...plain,
    kind: 'sentinel',
    hosts: [
      { host: 'a', port: 26379 },
      { host: 'b', port: 1 },
    ],
    password: 'secret',
    db: 2,
    masterName: 'main',
    sentinelPassword: 's',
  });
  assert.deepEqual(parseRedisUrl('redis+cluster://a:1,b:2'), {
    ...plain,
    kind: 'cluster',
    hosts: [
      { host: 'a', port: 1 },
      { host: 'b', port: 2 },
    ],
  });
});

const wrong: [url: string, says: RegExp][] = [
  ['redis:cache', /no Redis URL/],
  ['redis+proxy://cache', /no Redis URL/],
  ['redis://', /names no host/],
  ['redis://a,b', /several hosts/],
  ['redis://a:0', /no|not host/],
  ['redis://a:99999', /not host/],
  ['redis://a b', /not host/],
  ['redis://a/one', /no database number/],
  ['redis+sentinel://a', /what the Sentinels call the master/],
  ['redis+cluster://a/1', /number 0 only/],
  ['redis://a?tls=1', /unknown parameter "tls"/],
  ['redis://:100%@a', /write %25/],
];

for (const [url, says] of wrong) {
  test(`${url} is refused, and told why`, () => {
    const problem = parseRedisUrl(url);
    assert.ok(typeof problem === 'string');
    assert.match(problem, says);
  });
}

test('what is said of a wrong URL does not repeat its password', () => {
  for (const url of [
    'redis://:hunter2@',
    'redis://:hunter2@a,b',
    'redis+sentinel://u:hunter2@a',
    'redis://u:hunter2@x@y',
  ]) {
    const problem = parseRedisUrl(url);
    assert.ok(typeof problem === 'string' && !problem.includes('hunter2'));
  }
});

test('what is a Redis URL is known by its beginning', () => {
  for (const url of ['redis://a', 'rediss://a', 'redis+sentinel://a/b', 'redis+other://a']) assert.ok(isRedisUrl(url));
  for (const url of ['embedded', 'nats://a', 'redistribute']) assert.ok(!isRedisUrl(url));
});

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import {
  SharedLink,
  parseRedisUrl,
  RedisLink,
  RedisRevocationList,
  SystemClock,
  SystemRandom,
} from '@tutti/server/internal';
import { eventually } from '../eventually.ts';
import { redisMissing, startRedis, startRedisCluster } from '../redis-servers.ts';
import { revocationListConformance, type RevocationListUnderTest } from './revocation-list.ts';

const skip = await redisMissing();
const revocationsMax = 1_100;
let made = 0;

function listOn(url: string, prefix: string, nowMs: () => number): RedisRevocationList {
  const target = parseRedisUrl(url);
  if (typeof target === 'string') throw new Error(target);
  const [clock, random] = [new SystemClock(), new SystemRandom()];
  const redis = new SharedLink(new RedisLink({ target, clock, random }), prefix);
  return new RedisRevocationList({ redis, revocationsMax, origin: random.id(), nowMs });
}

function twoNodesOn(url: string): RevocationListUnderTest {
  const prefix = `test${(made += 1)}`;
  let ms = Date.now();
  const now = (): number => ms;
  return {
    list: listOn(url, prefix, now),
    other: listOn(url, prefix, now),
    now,
    advance: (byMs) => (ms += byMs),
    dispose: () => Promise.resolve(),
  };
}

if (skip !== undefined) {
  test('revocationListConformance on redis', { skip }, () => {});
} else {
  const single = await startRedis({ persistence: 'always' });
  const cluster = await startRedisCluster();
  after(async () => {
    await Promise.all([single.close(), cluster.close()]);
  });
  revocationListConformance('redis', async () => twoNodesOn(single.url), { revocationsMax, hints: true });
  revocationListConformance('redis+cluster', async () => twoNodesOn(cluster.url), { revocationsMax, hints: true });

  const ofUser = (subject: string) =>
    ({ what: 'user', tenant: '', subject, issuedBeforeMs: 1_700_000_000_000 }) as const;

  test('CON-6: after a restart of Redis, or a flush, a version of before is the beginning', async (t) => {
    const server = await startRedis({ persistence: 'always' });
    t.after(() => server.close());
    const list = listOn(server.url, 'test', Date.now);
    await list.start({ changed: () => undefined });
    t.after(() => list.close());
    for (const subject of ['ann', 'bob']) await list.append(ofUser(subject));
    const { version } = await list.readSince('');
    await server.kill();
    await server.restart();
    await eventually(() => list.append(ofUser('eve')).then(() => true));
    const { revocations } = await list.readSince(version);
    assert.deepEqual(
      revocations.map(({ subject }) => subject),
      ['ann', 'bob', 'eve'],
    );
    server.command('FLUSHALL');
    for (const subject of ['dan', 'fay', 'gil']) await list.append(ofUser(subject));
    assert.equal((await list.readSince(version)).revocations.length, 3);
  });

  test('another node is told of an entry, and of an interruption', async (t) => {
    const server = await startRedis();
    t.after(() => server.close());
    const [list, other] = [listOn(server.url, 'test', Date.now), listOn(server.url, 'test', Date.now)];
    let told = 0;
    await list.start({ changed: () => undefined });
    await other.start({ changed: () => (told += 1) });
    t.after(() => Promise.all([list.close(), other.close()]));
    await list.append(ofUser('ann'));
    await eventually(() => told === 1);
    for (const type of ['normal', 'pubsub']) server.command('CLIENT', 'KILL', 'TYPE', type);
    await eventually(() => told > 1);
  });
}

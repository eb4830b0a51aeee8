import { after, test } from 'node:test';
import { parseRedisUrl, RedisLastSeen, RedisLink, SharedLink, SystemClock, SystemRandom } from '@tutti/server/internal';
import { redisMissing, startRedis, startRedisCluster } from '../redis-servers.ts';
import { lastSeenConformance, type LastSeenUnderTest } from './last-seen.ts';

const skip = await redisMissing();
const bounds = { ttlMs: 30 * 24 * 3_600_000, usersMax: 800 };
let made = 0;

function storeOn(url: string, prefix: string, nowMs: () => number): RedisLastSeen {
  const target = parseRedisUrl(url);
  if (typeof target === 'string') throw new Error(target);
  const [clock, random] = [new SystemClock(), new SystemRandom()];
  const redis = new SharedLink(new RedisLink({ target, clock, random }), prefix);
  return new RedisLastSeen({ redis, bounds, nowMs });
}

function twoNodesOn(url: string): LastSeenUnderTest {
  const prefix = `test${(made += 1)}`;
  let ms = Date.now();
  const now = (): number => ms;
  return {
    store: storeOn(url, prefix, now),
    other: storeOn(url, prefix, now),
    now,
    advance: (byMs) => (ms += byMs),
    dispose: () => Promise.resolve(),
  };
}

if (skip !== undefined) {
  test('lastSeenConformance on redis', { skip }, () => {});
} else {
  const single = await startRedis({ persistence: 'everysec' });
  const cluster = await startRedisCluster();
  after(async () => {
    await Promise.all([single.close(), cluster.close()]);
  });
  lastSeenConformance('redis', async () => twoNodesOn(single.url), bounds);
  lastSeenConformance('redis+cluster', async () => twoNodesOn(cluster.url), bounds);
}

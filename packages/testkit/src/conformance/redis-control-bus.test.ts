import { after, test } from 'node:test';
import {
  SharedLink,
  parseRedisUrl,
  RedisControlBus,
  RedisLink,
  SystemClock,
  SystemRandom,
} from '@tutti/server/internal';
import { redisMissing, startRedis, startRedisCluster, type RedisServer } from '../redis-servers.ts';
import { controlBusConformance, type ControlBusUnderTest } from './control-bus.ts';

const skip = await redisMissing();
let made = 0;

/** Each test has its own prefix, each node its own connections, on servers that all tests share. */
function busesOn(url: string, servers: readonly RedisServer[]): ControlBusUnderTest {
  const target = parseRedisUrl(url);
  if (typeof target === 'string') throw new Error(target);
  const prefix = `test${(made += 1)}`;
  return {
    bus: (node) => {
      const link = new RedisLink({ target, clock: new SystemClock(), random: new SystemRandom() });
      return new RedisControlBus(node, new SharedLink(link, prefix));
    },
    interrupt: () => {
      for (const server of servers) {
        for (const type of ['normal', 'pubsub']) server.command('CLIENT', 'KILL', 'TYPE', type);
      }
    },
    dispose: () => {},
  };
}

if (skip !== undefined) {
  test('controlBusConformance on redis', { skip }, () => {});
} else {
  const single = await startRedis();
  const cluster = await startRedisCluster();
  after(async () => {
    await Promise.all([single.close(), cluster.close()]);
  });
  controlBusConformance('redis', async () => busesOn(single.url, [single]));
  controlBusConformance('redis+cluster', async () => busesOn(cluster.url, cluster.servers));
}

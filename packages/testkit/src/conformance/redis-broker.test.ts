import { after, test } from 'node:test';
import { parseRedisUrl, RedisBroker, RedisLink, SystemClock, SystemRandom } from '@tutti/server/internal';
import { redisMissing, startRedis, startRedisCluster, startRedisSentinels } from '../redis-servers.ts';
import { brokerConformance, type BrokerUnderTest } from './broker.ts';

const skip = await redisMissing();
const idempotencyWindowMs = 60_000;
let made = 0;

/** The time of publications and keys, as tests move it; connections live in real time. */
class MovedTime {
  #ms = Date.now();

  readonly now = (): number => this.#ms;

  advance(ms: number): void {
    this.#ms += ms;
  }
}

/** Each test has its own beginning of all keys, on servers that all tests share. */
function brokerOn(url: string, interrupt?: () => void): BrokerUnderTest {
  const target = parseRedisUrl(url);
  if (typeof target === 'string') throw new Error(target);
  const clock = new SystemClock();
  const random = new SystemRandom();
  const link = new RedisLink({ target, clock, random });
  const time = new MovedTime();
  const prefix = `test${(made += 1)}`;
  const broker = new RedisBroker({ link, clock, random, prefix, idempotencyWindowMs, nowMs: time.now });
  return {
    broker,
    clock: time,
    idempotencyWindowMs,
    ...(interrupt === undefined ? {} : { interrupt }),
    dispose: () => {},
  };
}

if (skip !== undefined) {
  test('brokerConformance on redis', { skip }, () => {});
} else {
  const single = await startRedis();
  const sentinels = await startRedisSentinels();
  const cluster = await startRedisCluster();
  after(async () => {
    await Promise.all([single.close(), sentinels.close(), cluster.close()]);
  });
  const cut = (command: (...args: string[]) => string) => () => {
    for (const type of ['normal', 'pubsub']) command('CLIENT', 'KILL', 'TYPE', type);
  };
  brokerConformance('redis', async () =>
    brokerOn(
      single.url,
      cut((...args) => single.command(...args)),
    ),
  );
  brokerConformance('redis+sentinel', async () =>
    brokerOn(
      sentinels.url,
      cut((...args) => sentinels.master().command(...args)),
    ),
  );
  brokerConformance('redis+cluster', async () =>
    brokerOn(
      cluster.url,
      cut((...args) => cluster.servers.map((each) => each.command(...args)).join('')),
    ),
  );
}

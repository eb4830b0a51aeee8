import { startNatsCluster } from '@tutti/testkit/nats-cluster';
import {
  startRedis,
  startRedisCluster,
  startRedisSentinels,
  type RedisOptions,
  type RedisServer,
} from '@tutti/testkit/redis-servers';
import { requireService } from '@tutti/testkit/services';
import { channelKeys } from '../packages/server/src/broker/redis/channel-keys.ts';
import { until } from './waiting.ts';

/** Real servers under three nodes, of which one leads and can be killed. */
export interface EngineUnderTest {
  /** For the setting `engine`. */
  readonly url: string;
  /** From now on the leader alone has what is published there. False: this engine does not acknowledge such a thing. */
  isolateLeader(channel: string): boolean;
  /** SIGKILL; the others may take over. Resolves when it is gone. */
  killLeader(): Promise<void>;
  /** The killed one comes back, and is in step. False: not in time. */
  mend(): Promise<boolean>;
  close(): Promise<void>;
}

/** `redis`: a master and a replica under Sentinels; where one server is asked for, one alone. */
export const engineNames = ['redis', 'redis-cluster', 'nats'] as const;
export type EngineName = (typeof engineNames)[number];
/** Those whose nodes reach it at one address, so that something can stand between. */
export const storeNames = ['redis', 'nats'] as const;
export type StoreName = (typeof storeNames)[number];

const inStepMsMax = 30_000;

/** `options` are for Redis. */
export function startEngine(name: EngineName, options: RedisOptions = {}): Promise<EngineUnderTest> {
  switch (name) {
    case 'nats':
      return startNats();
    case 'redis':
      return startSentinels(options);
    case 'redis-cluster':
      return startCluster(options);
  }
}

/** Three servers; what is acknowledged is with two of them, so no leader is ever alone with it. */
async function startNats(): Promise<EngineUnderTest> {
  const service = await requireService('nats-server');
  if ('skip' in service) throw new Error(service.skip);
  const cluster = await startNatsCluster({ program: service.path, servers: 3 });
  return {
    url: cluster.url,
    isolateLeader: () => false,
    killLeader: async () => {
      const leader = await cluster.anyLeader();
      await leader?.kill();
    },
    mend: async () => {
      await cluster.start();
      return true;
    },
    close: () => cluster.close(),
  };
}

async function startSentinels(options: RedisOptions): Promise<EngineUnderTest> {
  const sentinels = await startRedisSentinels(options);
  return redisUnderTest({
    url: sentinels.url,
    leaderOf: () => sentinels.master(),
    followerOf: () => sentinels.replica(),
    close: () => sentinels.close(),
  });
}

/** Three masters, a replica each. */
async function startCluster(options: RedisOptions): Promise<EngineUnderTest> {
  const cluster = await startRedisCluster({ ...options, replicas: 1 });
  return redisUnderTest({
    url: cluster.url,
    leaderOf: (channel) => cluster.masterOf(channelKeys('tutti', channel).meta),
    followerOf: (leader) => {
      const [follower] = cluster.replicasOf(leader);
      if (follower === undefined) throw new Error('a master of the Cluster has no replica');
      return follower;
    },
    close: () => cluster.close(),
  });
}

/** Servers of which one leads a channel and one copies it. */
interface Replicated {
  readonly url: string;
  readonly leaderOf: (channel: string) => RedisServer;
  readonly followerOf: (leader: RedisServer) => RedisServer;
  readonly close: () => Promise<void>;
}

function redisUnderTest({ url, leaderOf, followerOf, close }: Replicated): EngineUnderTest {
  let channel = '';
  let leader = leaderOf(channel);
  let follower = followerOf(leader);
  return {
    url,
    isolateLeader: (asked) => {
      channel = asked;
      leader = leaderOf(channel);
      follower = followerOf(leader);
      follower.pause();
      // What the kernel already had for it would still be read.
      leader.command('CLIENT', 'KILL', 'TYPE', 'replica');
      return true;
    },
    killLeader: async () => {
      await leader.kill();
      follower.resume();
    },
    mend: async () => {
      if (!(await until(() => leaderOf(channel) === follower, inStepMsMax))) return false;
      await leader.restart();
      return until(() => leader.command('INFO', 'replication').includes('master_link_status:up'), inStepMsMax);
    },
    close,
  };
}

/** One server, to which each node may have a way of its own. */
export interface Store {
  readonly port: number;
  /** For the setting `engine` of a node that is to go by this port. */
  urlAt(port: number): string;
  close(): Promise<void>;
}

export async function startStore(name: StoreName): Promise<Store> {
  if (name === 'redis') {
    const server = await startRedis({ persistence: 'always' });
    return { port: server.port, urlAt: (port) => `redis://127.0.0.1:${port}`, close: () => server.close() };
  }
  const service = await requireService('nats-server');
  if ('skip' in service) throw new Error(service.skip);
  const cluster = await startNatsCluster({ program: service.path, servers: 1 });
  const port = Number(new URL(cluster.url).port);
  return { port, urlAt: (at) => `nats://127.0.0.1:${at}`, close: () => cluster.close() };
}

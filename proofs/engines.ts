import { startNatsCluster } from '@tutti/testkit/nats-cluster';
import { startRedis, startRedisSentinels, type RedisOptions } from '@tutti/testkit/redis-servers';
import { requireService } from '@tutti/testkit/services';
import { until } from './waiting.ts';

/** Real servers under three nodes, of which one leads and can be killed. */
export interface EngineUnderTest {
  /** For the setting `engine`. */
  readonly url: string;
  /** From now on the leader alone has what is published. False: this engine does not acknowledge such a thing. */
  isolateLeader(): boolean;
  /** SIGKILL; the others may take over. Resolves when it is gone. */
  killLeader(): Promise<void>;
  /** The killed one comes back, and is in step. False: not in time. */
  mend(): Promise<boolean>;
  close(): Promise<void>;
}

export const engineNames = ['redis', 'nats'] as const;
export type EngineName = (typeof engineNames)[number];

const inStepMsMax = 30_000;

/** `options` are for Redis. */
export function startEngine(name: EngineName, options: RedisOptions = {}): Promise<EngineUnderTest> {
  return name === 'nats' ? startNats() : startSentinels(options);
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
  let [leader, follower] = [sentinels.master(), sentinels.replica()];
  return {
    url: sentinels.url,
    isolateLeader: () => {
      [leader, follower] = [sentinels.master(), sentinels.replica()];
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
      if (!(await until(() => sentinels.master() === follower, inStepMsMax))) return false;
      await leader.restart();
      const isInStep = (): boolean => leader.command('INFO', 'replication').includes('master_link_status:up');
      return until(isInStep, inStepMsMax);
    },
    close: () => sentinels.close(),
  };
}

/** One server, to which each node may have a way of its own. */
export interface Store {
  readonly port: number;
  /** For the setting `engine` of a node that is to go by this port. */
  urlAt(port: number): string;
  close(): Promise<void>;
}

export async function startStore(name: EngineName): Promise<Store> {
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

import { startNatsCluster } from '@tutti/testkit/nats-cluster';
import { startRedisSentinels, type RedisOptions } from '@tutti/testkit/redis-servers';
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
  return name === 'nats' ? startNats() : startRedis(options);
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

async function startRedis(options: RedisOptions): Promise<EngineUnderTest> {
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

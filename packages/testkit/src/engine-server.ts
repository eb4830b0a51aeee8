import { startNatsCluster } from './nats-cluster.ts';
import { startRedis, startRedisCluster } from './redis-servers.ts';
import { requireService } from './services.ts';

/** What several nodes can share: one server; of a Redis Cluster three. */
export interface EngineServer {
  /** For the option `engine`. */
  readonly url: string;
  close(): Promise<void>;
}

export const engineServerNames = ['redis', 'redis-cluster', 'nats'] as const;
export type EngineServerName = (typeof engineServerNames)[number];

/** Throws where its program is missing. `ownGroup`: Ctrl-C in the terminal is not for it. */
export async function startEngineServer(
  name: EngineServerName,
  { ownGroup = false }: { ownGroup?: boolean } = {},
): Promise<EngineServer> {
  if (name === 'redis') return startRedis({ persistence: 'everysec', ownGroup });
  if (name === 'redis-cluster') return startRedisCluster({ persistence: 'everysec', ownGroup });
  const service = await requireService('nats-server');
  if ('skip' in service) throw new Error(service.skip);
  return startNatsCluster({ program: service.path, ownGroup });
}

import { startNatsCluster } from './nats-cluster.ts';
import { startRedis } from './redis-servers.ts';
import { requireService } from './services.ts';

/** One server that several nodes can share. */
export interface EngineServer {
  /** For the option `engine`. */
  readonly url: string;
  close(): Promise<void>;
}

export const engineServerNames = ['redis', 'nats'] as const;
export type EngineServerName = (typeof engineServerNames)[number];

/** Throws where its program is missing. `ownGroup`: Ctrl-C in the terminal is not for it. */
export async function startEngineServer(
  name: EngineServerName,
  { ownGroup = false }: { ownGroup?: boolean } = {},
): Promise<EngineServer> {
  if (name === 'redis') return startRedis({ persistence: 'everysec', ownGroup });
  const service = await requireService('nats-server');
  if ('skip' in service) throw new Error(service.skip);
  return startNatsCluster({ program: service.path, ownGroup });
}

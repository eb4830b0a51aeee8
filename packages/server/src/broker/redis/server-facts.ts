import type { Connection } from './driver.ts';
import { RedisFault } from './redis-fault.ts';

/** What a server says of itself when it is connected to. */
export interface ServerFacts {
  readonly version: string;
  readonly persistence: Persistence;
  /** May throw away what has not expired, when its memory is full. */
  readonly evicts: boolean;
  readonly replicas: number;
}

/**
 * What is on disk of what the server acknowledged: `always` all of it; `everysec` all but the last second or two;
 * `unsynced` what the system wrote; `unknown` an append-only file whose syncing it does not tell;
 * `snapshots` what the last snapshot had; `none` nothing.
 */
export type Persistence = 'always' | 'everysec' | 'unsynced' | 'unknown' | 'snapshots' | 'none';

const versionMin = 7;

/** Throws `RedisFault` for a server that is too old, no master, or does not tell its replication id. */
export async function readServerFacts(redis: Connection): Promise<ServerFacts> {
  const info = await redis.info();
  const value = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
  if (value('loading') === '1') throw new RedisFault('redis: the server is loading its data', { code: 'LOADING' });
  const version = value('redis_version');
  if (Number.parseInt(version, 10) < versionMin) {
    const message = `redis: version ${versionMin} or newer is needed, the server has ${version}`;
    throw new RedisFault(message, { retryable: false });
  }
  if (value('role') !== 'master')
    throw new RedisFault('redis: the server is a replica, not a master', { code: 'READONLY' });
  if (value('master_replid') === '') {
    const message = 'redis: the server does not tell its master_replid, by which a fail-over is noticed';
    throw new RedisFault(message, { retryable: false });
  }
  const settings = await readSettings(redis);
  const hasFile = value('aof_enabled') === '1';
  return {
    version,
    persistence: persistenceOf(hasFile, settings.get('appendfsync'), settings.get('save')),
    evicts: !['', 'noeviction'].includes(settings.get('maxmemory-policy') ?? value('maxmemory_policy')),
    replicas: Number(value('connected_slaves')),
  };
}

function persistenceOf(hasFile: boolean, appendfsync: string | undefined, save: string | undefined): Persistence {
  if (!hasFile) return save === '' || save === undefined ? 'none' : 'snapshots';
  if (appendfsync === 'always' || appendfsync === 'everysec') return appendfsync;
  return appendfsync === undefined ? 'unknown' : 'unsynced';
}

/** Empty where the server does not let its settings be read, as hosted ones do. */
async function readSettings(redis: Connection): Promise<Map<string, string>> {
  const settings = new Map<string, string>();
  for (const name of ['appendfsync', 'save', 'maxmemory-policy']) {
    try {
      const [, value] = await redis.config('GET', name);
      if (value !== undefined) settings.set(name, value);
    } catch {
      return settings;
    }
  }
  return settings;
}

import type { Log } from '../../telemetry/telemetry.ts';
import type { ServerFacts } from './server-facts.ts';

export interface DurabilityOptions {
  /** There are durable namespaces. */
  readonly isNeeded: boolean;
  /** They are accepted on a server that cannot keep what it acknowledges. */
  readonly isWeakAllowed: boolean;
  /** Replicas that confirm each durable publish. */
  readonly replicas: number;
  readonly log?: Log;
}

/**
 * What an acknowledged publish on a durable channel is worth on this server (DEL-5). Says it in the log,
 * loudly where it is less than it sounds; returns why the server must not be used, if so.
 */
export function judgeDurability(
  options: DurabilityOptions,
): (facts: ServerFacts, address: string) => string | undefined {
  return (facts, address) => {
    const { log, isNeeded, isWeakAllowed, replicas } = options;
    const fields = { address, version: facts.version, persistence: facts.persistence, replicas: facts.replicas };
    if (facts.evicts) {
      log?.warn(
        fields,
        'redis may evict histories and positions when its memory is full: set maxmemory-policy noeviction',
      );
    }
    if (!isNeeded) return undefined;
    if (facts.replicas < replicas) {
      log?.warn(
        fields,
        `durable publishes wait for ${replicas} replicas, and redis has ${facts.replicas} now: they will fail`,
      );
    }
    const weakness = weaknesses[facts.persistence];
    if (weakness === undefined) {
      log?.info(fields, 'durable publishes are synced to the disk of redis before they are acknowledged');
      return undefined;
    }
    const [isRefused, what] = weakness;
    if (isRefused && !isWeakAllowed) {
      return `there are durable namespaces, and redis at ${address} ${what}: set appendonly yes (appendfsync always or everysec) there, or allowWeakEngine here`;
    }
    const copies = replicas > 0 ? `, unless one of ${replicas} replicas that have it takes over` : '';
    log?.warn(fields, `durable is less than it sounds: redis ${what}${copies}`);
    return undefined;
  };
}

/** Whether it is refused, and what it loses. */
const weaknesses: Record<ServerFacts['persistence'], readonly [boolean, string] | undefined> = {
  always: undefined,
  everysec: [
    false,
    'syncs once a second, so the last second or two of acknowledged publishes are lost with its machine',
  ],
  unsynced: [
    false,
    'leaves syncing to the system, so acknowledged publishes of half a minute are lost with its machine',
  ],
  unknown: [false, 'does not tell how often it syncs, so acknowledged publishes may be lost with its machine'],
  snapshots: [true, 'keeps snapshots only, so it loses what it acknowledged since the last one whenever it ends'],
  none: [true, 'keeps nothing on disk, so it loses everything whenever it ends'],
};

import type { Clock } from '../../core/clock.ts';
import { makeConnection, tlsOf, type Driver, type RedisAddress } from './driver.ts';
import { faultOf, RedisFault } from './redis-fault.ts';
import { addressOf, type RedisHost } from '../../config/redis-target.ts';
import { slotsCount } from './slots.ts';

/** One master, and the slots it serves. */
export interface Shard {
  readonly server: RedisHost;
  /** From and to, inclusive. */
  readonly ranges: readonly (readonly [number, number])[];
}

export type Ask = (command: string, args: readonly string[]) => Promise<unknown>;

const askMs = 1_500;
const allSlots = [[0, slotsCount - 1]] as const;

/**
 * Which masters there are now. `known`: connections to servers of a Cluster, any of which can be asked.
 * Throws `RedisFault`.
 */
export async function findShards(
  target: RedisAddress,
  driver: Driver,
  clock: Clock,
  known: readonly { server: RedisHost; ask: Ask }[],
): Promise<readonly Shard[]> {
  if (target.kind === 'single') return target.hosts.map((server) => ({ server, ranges: allSlots }));
  if (target.kind === 'sentinel') {
    const server = await askAny(target, driver, clock, readMaster);
    return [{ server, ranges: allSlots }];
  }
  for (const { server, ask } of known) {
    try {
      return await readSlots(ask, server);
    } catch {
      // Another one may know.
    }
  }
  return askAny(target, driver, clock, (ask, { server }) => readSlots(ask, server));
}

async function readMaster(ask: Ask, { target }: { target: RedisAddress }): Promise<RedisHost> {
  const reply = await ask('SENTINEL', ['get-master-addr-by-name', target.masterName]);
  const [host, port] = Array.isArray(reply) ? (reply as unknown[]).map(String) : [];
  if (host === undefined || port === undefined) {
    throw new RedisFault(`redis: the Sentinels know no master called ${target.masterName}`);
  }
  return { host, port: Number(port) };
}

async function readSlots(ask: Ask, asked: RedisHost): Promise<readonly Shard[]> {
  const reply = await ask('CLUSTER', ['SLOTS']);
  const shards = new Map<string, { server: RedisHost; ranges: [number, number][] }>();
  if (!Array.isArray(reply) || reply.length === 0) throw new RedisFault('redis: the Cluster serves no slots');
  for (const row of reply as unknown[][]) {
    const [from, to, master] = row;
    const [host, port] = (master ?? []) as [Buffer | string | null | undefined, number];
    const name = host?.toString() ?? '';
    // Without a name it is the server that was asked.
    const server = { host: name === '' ? asked.host : name, port };
    const shard = shards.get(addressOf(server)) ?? { server, ranges: [] };
    shard.ranges.push([Number(from), Number(to)]);
    shards.set(addressOf(server), shard);
  }
  return [...shards.values()];
}

/** The first of the URL's hosts that answers. */
async function askAny<T>(
  target: RedisAddress,
  driver: Driver,
  clock: Clock,
  read: (ask: Ask, from: { target: RedisAddress; server: RedisHost }) => Promise<T>,
): Promise<T> {
  let last: unknown;
  for (const server of target.hosts) {
    try {
      return await askOnce(target, driver, clock, server, (ask) => read(ask, { target, server }));
    } catch (error) {
      last = error;
    }
  }
  throw faultOf(last, target.kind === 'sentinel' ? 'no Sentinel helps' : 'no server of the Cluster helps');
}

/** A connection for one question. */
async function askOnce<T>(
  target: RedisAddress,
  driver: Driver,
  clock: Clock,
  server: RedisHost,
  read: (ask: Ask) => Promise<T>,
): Promise<T> {
  const { username, password, sentinelUsername, sentinelPassword, tls, tlsFiles = {} } = target;
  const isSentinel = target.kind === 'sentinel';
  const credentials = isSentinel
    ? { username: sentinelUsername, password: sentinelPassword, db: 0, tls, tlsFiles }
    : { username, password, db: 0, tls, tlsFiles };
  const redis = makeConnection(driver, server, credentials, askMs);
  let lastError: unknown;
  redis.on('error', (error) => (lastError = error));
  const overdue = Promise.withResolvers<never>();
  const timer = clock.after(askMs, () => overdue.reject(new RedisFault(`redis: ${addressOf(server)} does not answer`)));
  try {
    const answer = redis.connect().then(() => read((command, args) => redis.call(command, ...args)));
    answer.catch(() => undefined);
    return await Promise.race([answer, overdue.promise]);
  } catch (error) {
    throw faultOf(error instanceof RedisFault ? error : (lastError ?? error), addressOf(server), tlsOf(credentials));
  } finally {
    timer.cancel();
    overdue.promise.catch(() => undefined);
    redis.disconnect();
  }
}

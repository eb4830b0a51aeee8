import { Fault } from '../../core/fault.ts';
import { settledMs } from '../kept-user.ts';
import type { LastSeen, LastSeenBounds, SeenBatch, SeenEntry, UserName } from '../last-seen.ts';
import { forgetScript, readScript, writeScript } from './scripts.ts';

/** What this needs of the connections to Redis, which it shares with the broker. */
export interface LastSeenRedis {
  /** Resolves when Redis is reached, or after a while without. Throws `Fault`. */
  open(): Promise<void>;
  evaluate(tag: string, script: string, names: readonly string[], values: readonly string[]): Promise<unknown>;
  close(): Promise<void>;
}

export interface RedisLastSeenOptions {
  readonly redis: LastSeenRedis;
  readonly bounds: LastSeenBounds;
  /** For tests: wall time in place of the server's. */
  readonly nowMs?: () => number;
}

/** All of it is on one server of a Cluster: a write has users of every kind. */
const tag = 'last-seen';
const names = ['users', 'order', 'nodes'];

/** In Redis, one for all nodes. Replicas are not waited for: a fail-over may cost the last moments. */
export class RedisLastSeen implements LastSeen {
  readonly #options: RedisLastSeenOptions;
  #isOpen = false;

  constructor(options: RedisLastSeenOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    this.#isOpen = true;
    await this.#options.redis.open();
  }

  async write({ node, aliveAtMs, changes }: SeenBatch): Promise<void> {
    const { ttlMs, usersMax } = this.#options.bounds;
    const bounds = [this.#now(), String(ttlMs), String(usersMax), String(settledMs)];
    const told = changes.flatMap((change) => [nameOf(change), text(change.atMs), change.isHere ? '1' : '0']);
    await this.#run(writeScript, [node, text(aliveAtMs), ...bounds, ...told]);
  }

  async read(users: readonly UserName[]): Promise<readonly (SeenEntry | undefined)[]> {
    const { ttlMs } = this.#options.bounds;
    const reply = await this.#run(readScript, [this.#now(), String(ttlMs), ...users.map(nameOf)]);
    return (reply as Buffer[]).map((each) => entryFrom(each.toString()));
  }

  async forget(user: UserName): Promise<void> {
    await this.#run(forgetScript, [nameOf(user)]);
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#options.redis.close();
  }

  async #run(script: string, values: readonly string[]): Promise<unknown> {
    try {
      return await this.#options.redis.evaluate(tag, script, names, values);
    } catch (cause) {
      const isTemporary = cause instanceof Fault && cause.retryable;
      const message = `last seen could not be reached: ${cause instanceof Error ? cause.message : String(cause)}`;
      throw new Fault('last-seen', message, { retryable: isTemporary, cause });
    }
  }

  #now(): string {
    const { nowMs } = this.#options;
    return nowMs === undefined ? '' : text(nowMs());
  }
}

function nameOf({ tenant, user }: UserName): string {
  return JSON.stringify([tenant, user]);
}

function text(ms: number): string {
  return String(Math.floor(ms));
}

function entryFrom(written: string): SeenEntry | undefined {
  if (written === '') return undefined;
  const [at, ...rest] = written.split(' ');
  const nodes: { node: string; aliveAtMs: number }[] = [];
  for (let i = 0; i + 1 < rest.length; i += 2) nodes.push({ node: rest[i] ?? '', aliveAtMs: Number(rest[i + 1]) });
  return { atMs: Number(at), nodes };
}

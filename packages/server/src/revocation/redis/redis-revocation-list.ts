import { Fault } from '../../core/fault.ts';
import {
  listIsFull,
  revocationPageMax,
  type Revocation,
  type RevocationList,
  type RevocationListEvents,
  type RevocationPage,
} from '../revocation-list.ts';
import { appendScript, readScript } from './scripts.ts';

/** What the list needs of the connections to Redis, which it shares with the broker. */
export interface RevocationRedis {
  /** Resolves when Redis is reached, or after a while without. Throws `Fault`. */
  open(): Promise<void>;
  keepSubscribed(tag: string, handler: (message: Uint8Array) => void): Promise<void>;
  publish(tag: string, message: Uint8Array): void;
  unsubscribe(tag: string): Promise<void>;
  onInterrupted(listener: () => void): void;
  evaluate(tag: string, script: string, names: readonly string[], values: readonly string[]): Promise<unknown>;
  confirm(tag: string, replicas: number): Promise<void>;
  close(): Promise<void>;
}

export interface RedisRevocationListOptions {
  readonly redis: RevocationRedis;
  /** Most entries. */
  readonly revocationsMax: number;
  /** Replicas that must have an entry before it counts as kept. */
  readonly replicas?: number;
  /** Unguessable; tells this list's own hints from those of others. */
  readonly origin: string;
  /** For tests: wall time in place of the server's. */
  readonly nowMs?: () => number;
}

const tag = 'revocations';
const names = ['list', 'entries', 'order', 'expiry'];

/**
 * The list in Redis, one for all nodes: as durable as Redis is, which durability.ts judges.
 *
 * A version is `LIFE.GENERATION.NUMBER`, like a position of the broker: after a fail-over or a flush numbers
 * may come again, so what was given before is then the beginning, and everything is read anew.
 */
export class RedisRevocationList implements RevocationList {
  readonly #options: RedisRevocationListOptions;
  #isOpen = false;
  #events: RevocationListEvents = { changed: () => undefined };

  constructor(options: RedisRevocationListOptions) {
    this.#options = options;
  }

  async start(events: RevocationListEvents): Promise<void> {
    const { redis, origin } = this.#options;
    this.#events = events;
    this.#isOpen = true;
    await redis.open();
    redis.onInterrupted(() => {
      if (this.#isOpen) events.changed();
    });
    await redis.keepSubscribed(tag, (message) => {
      if (this.#isOpen && Buffer.from(message).toString() !== origin) events.changed();
    });
  }

  async append({ what, tenant, subject, issuedBeforeMs, expiresAtMs }: Revocation): Promise<void> {
    const { redis, origin, revocationsMax, replicas = 0 } = this.#options;
    const reply = await this.#run(appendScript, [
      origin,
      JSON.stringify([what, tenant, subject]),
      String(issuedBeforeMs),
      expiresAtMs === undefined ? '' : String(expiresAtMs),
      this.#now(),
      String(revocationsMax),
    ]);
    if (String(reply) === 'full') throw listIsFull(revocationsMax);
    await redis.confirm(tag, replicas);
    redis.publish(tag, Buffer.from(origin));
    this.#events.changed();
  }

  async readSince(version: string): Promise<RevocationPage> {
    const [life = '', generation = '', number = ''] = version.split('.');
    const since = /^\d{1,15}$/.test(number) ? number : '0';
    const reply = await this.#run(readScript, [life, generation, since, String(revocationPageMax)]);
    const [next, hasMore, rows] = reply as [Buffer, number, [Buffer, Buffer][]];
    return { revocations: rows.map(toRevocation), version: next.toString(), hasMore: hasMore === 1 };
  }

  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#options.redis.unsubscribe(tag).catch(() => undefined);
    await this.#options.redis.close();
  }

  async #run(script: string, values: readonly string[]): Promise<unknown> {
    try {
      return await this.#options.redis.evaluate(tag, script, names, values);
    } catch (cause) {
      const isTemporary = cause instanceof Fault && cause.retryable;
      const message = `the revocations could not be reached: ${cause instanceof Error ? cause.message : String(cause)}`;
      throw new Fault('revocation', message, { retryable: isTemporary, cause });
    }
  }

  #now(): string {
    const { nowMs } = this.#options;
    return nowMs === undefined ? '' : String(Math.floor(nowMs()));
  }
}

function toRevocation([key, value]: [Buffer, Buffer]): Revocation {
  const [what, tenant, subject] = JSON.parse(key.toString()) as [Revocation['what'], string, string];
  const [issuedBefore, expiresAt = ''] = value.toString().split(' ');
  const entry = { what, tenant, subject, issuedBeforeMs: Number(issuedBefore) };
  return expiresAt === '' ? entry : { ...entry, expiresAtMs: Number(expiresAt) };
}

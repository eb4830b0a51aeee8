import type * as ioredis from 'ioredis';
import { Fault } from '../../core/fault.ts';
import type { TlsFiles } from '../tls-files.ts';
import type { RedisHost, RedisTarget } from '../../config/redis-target.ts';

/** The driver, loaded when the first connection is made: who runs another engine need not install it. */
export type Driver = typeof ioredis;
export type Connection = InstanceType<Driver['Redis']>;

/** Where Redis is, with the files that its TLS needs. */
export type RedisAddress = RedisTarget & Pick<Credentials, 'tlsFiles'>;

export interface Credentials {
  readonly username: string;
  readonly password: string;
  readonly db: number;
  readonly tls: boolean;
  /** Beside what the system trusts, and shows of itself: nothing. Of no effect without `tls`. */
  readonly tlsFiles?: TlsFiles;
}

export async function loadDriver(): Promise<Driver> {
  try {
    return await import('ioredis');
  } catch (cause) {
    const message = 'the engine redis:// needs the package ioredis: npm install ioredis@6';
    throw new Fault('broker', message, { retryable: false, cause });
  }
}

/**
 * One connection to one server, not yet opened. The driver's own mending is off: it would send commands
 * again whose outcome is unknown, and would not know when the log can be read again.
 */
export function makeConnection(
  driver: Driver,
  { host, port }: RedisHost,
  credentials: Credentials,
  connectMs: number,
): Connection {
  const { username, password, db } = credentials;
  const tls = tlsOf(credentials);
  return new driver.Redis({
    host,
    port,
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
    ...(tls === undefined ? {} : { tls: { ...tls } }),
    db,
    connectionName: 'tutti',
    lazyConnect: true,
    connectTimeout: connectMs,
    disconnectTimeout: 100,
    retryStrategy: () => null,
    reconnectOnError: null,
    enableOfflineQueue: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    // Pub/sub and commands share one connection, so that both always mean the same server.
    protocol: 3,
    // What it does on "loading" is to wait; the link asks for itself, and tries again.
    enableReadyCheck: false,
  });
}

/** Undefined: without TLS. */
export function tlsOf({ tls, tlsFiles = {} }: Pick<Credentials, 'tls' | 'tlsFiles'>): TlsFiles | undefined {
  return tls ? tlsFiles : undefined;
}

import { createHash } from 'node:crypto';
import type { KeptUser } from '../kept-user.ts';
import { userKey, type UserName } from '../last-seen.ts';

/** One token of a subject for any user, however long the name. */
export function hashOf(user: UserName): string {
  return createHash('sha256').update(userKey(user)).digest('base64url');
}

export function encodeUser({ tenant, user }: UserName, { atMs, nodes }: KeptUser): Uint8Array {
  return Buffer.from(JSON.stringify({ v: 1, tenant, user, atMs, nodes }));
}

/** Undefined where it is none of this user: anybody with rights in NATS can put anything there (S25). */
export function decodeUser(data: Uint8Array, { tenant, user }: UserName): KeptUser | undefined {
  const read = parsed(data);
  if (read?.['v'] !== 1 || read['tenant'] !== tenant || read['user'] !== user) return undefined;
  const { atMs, nodes } = read;
  if (!isMoment(atMs) || !Array.isArray(nodes) || nodes.length > nodesMax || !nodes.every(isNode)) return undefined;
  return { atMs, nodes };
}

export function encodeAlive(aliveAtMs: number): Uint8Array {
  return Buffer.from(JSON.stringify({ v: 1, aliveAtMs }));
}

export function decodeAlive(data: Uint8Array): number | undefined {
  const read = parsed(data);
  const aliveAtMs = read?.['aliveAtMs'];
  return read?.['v'] === 1 && isMoment(aliveAtMs) ? aliveAtMs : undefined;
}

/** More than any cluster has. */
const nodesMax = 1_000;

function isMoment(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isNode(value: unknown): value is string {
  return typeof value === 'string' && /^[\w-]{1,64}$/.test(value);
}

function parsed(data: Uint8Array): Readonly<Record<string, unknown>> | undefined {
  try {
    const read: unknown = JSON.parse(Buffer.from(data).toString());
    return typeof read === 'object' && read !== null ? (read as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

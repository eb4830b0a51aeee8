import { createHash } from 'node:crypto';
import { revocationKey, type Revocation } from '../revocation-list.ts';

/** One token of a subject for any text, however long. */
export function hashOf(revocation: Revocation): string {
  return createHash('sha256').update(revocationKey(revocation)).digest('base64url');
}

export function encodeEntry(revocation: Revocation): Uint8Array {
  const { what, tenant, subject, issuedBeforeMs, expiresAtMs } = revocation;
  return Buffer.from(JSON.stringify({ v: 1, what, tenant, subject, issuedBeforeMs, expiresAtMs }));
}

/** Undefined where it is none: anybody with rights in NATS can put anything there (S25). */
export function decodeEntry(data: Uint8Array): Revocation | undefined {
  let read: unknown;
  try {
    read = JSON.parse(Buffer.from(data).toString());
  } catch {
    return undefined;
  }
  if (typeof read !== 'object' || read === null) return undefined;
  const { v, what, tenant, subject, issuedBeforeMs, expiresAtMs } = read as Readonly<Record<string, unknown>>;
  if (v !== 1 || !isWhat(what) || typeof tenant !== 'string' || typeof subject !== 'string') return undefined;
  if (typeof issuedBeforeMs !== 'number') return undefined;
  const entry = { what, tenant, subject, issuedBeforeMs };
  if (expiresAtMs === undefined) return entry;
  return typeof expiresAtMs === 'number' ? { ...entry, expiresAtMs } : undefined;
}

function isWhat(what: unknown): what is Revocation['what'] {
  return what === 'user' || what === 'token' || what === 'session';
}

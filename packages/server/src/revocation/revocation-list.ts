import { Rejection, rejections } from '@tutti/protocol';

/**
 * What was revoked, for every node to read: the only thing that keeps somebody out who still has a signed token.
 *
 * The list is the truth and the hint is a courtesy: nodes re-read the list on their own (CON-6), so an
 * implementation may lose each `changed` that it ever tells, and nothing but time is lost.
 * Every implementation passes testkit's `revocationListConformance`.
 */
export interface RevocationList {
  /** Called once, before anything else. Throws `Fault`. */
  start(events: RevocationListEvents): Promise<void>;

  /**
   * Resolves when the entry is kept as durably as the implementation promises, and every `readSince` begun
   * from then on, on any node, has it. One for the same subject replaces the older, and takes the later of
   * both times. Throws `Rejection` limitExceeded where the list is full, `Fault` where it cannot be reached.
   */
  append(revocation: Revocation): Promise<void>;

  /**
   * Entries appended after `version`, oldest first, at most `revocationPageMax` of them. The empty version is
   * the very beginning, and so is one that this list never gave, as after a restore: better twice than not.
   * Entries that have expired may be left out. Answers, or throws `Fault`, within seconds: the next read waits
   * for it.
   *
   * Example: `readSince('')` answers three entries and version `'7'`; `readSince('7')` none and `'7'`, until
   * something is appended.
   */
  readSince(version: string): Promise<RevocationPage>;

  close(): Promise<void>;
}

export interface RevocationListEvents {
  /** Something was appended, here or elsewhere. Never throws. */
  changed(): void;
}

export interface RevocationPage {
  readonly revocations: readonly Revocation[];
  /** To go on from. Means something to this list alone. */
  readonly version: string;
  readonly hasMore: boolean;
}

/**
 * - `user`: all that the user was given until `issuedBeforeMs`; the subject is the user.
 * - `token`: one token; the subject is its id (`jti`, or `Identity.tokenId` where it has none).
 * - `session`: one connection and the token that it came with; the subject is its client id.
 */
export interface Revocation {
  readonly what: 'user' | 'token' | 'session';
  /** Empty: none. */
  readonly tenant: string;
  readonly subject: string;
  /** Milliseconds since 1970. Of meaning for a user only. */
  readonly issuedBeforeMs: number;
  /** Milliseconds since 1970: nothing that it refuses can be valid after that. Absent: never. */
  readonly expiresAtMs?: number;
}

/** Entries in one answer. */
export const revocationPageMax = 1_000;

/** Two entries with the same key are about the same subject. */
export function revocationKey({ what, tenant, subject }: Pick<Revocation, 'what' | 'tenant' | 'subject'>): string {
  return `${what}\n${tenant}\n${subject}`;
}

/** The later word of two on one subject. */
export function laterOf(older: Revocation | undefined, newer: Revocation): Revocation {
  if (older === undefined) return newer;
  const { expiresAtMs: _, ...rest } = newer;
  const issuedBeforeMs = Math.max(older.issuedBeforeMs, newer.issuedBeforeMs);
  if (older.expiresAtMs === undefined || newer.expiresAtMs === undefined) return { ...rest, issuedBeforeMs };
  return { ...rest, issuedBeforeMs, expiresAtMs: Math.max(older.expiresAtMs, newer.expiresAtMs) };
}

/** Nothing is forgotten for a newer one: that would let somebody back in. */
export function listIsFull(revocationsMax: number): Rejection {
  return new Rejection(
    rejections.limitExceeded,
    `the list holds ${revocationsMax} revocations: raise revocationsMax, or set tokenLifetimeMax so that they end`,
  );
}

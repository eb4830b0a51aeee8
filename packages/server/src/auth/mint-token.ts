import { createSecretKey } from 'node:crypto';

import { SignJWT } from 'jose';

import type { TokenKey } from '../config/token-key.ts';
import type { Capability } from './authenticator.ts';

/** What a token shall say. With `channel` it is a subscription token, else a connection token. */
export interface TokenDraft {
  readonly user: string;
  readonly channel?: string;
  /** Whose user it is, and the name of the claim that says so. */
  readonly tenant?: { readonly claim: string; readonly name: string };
  /** Absent: the token never expires. */
  readonly expiresAtMs?: number;
  /** `jti`: what it can be revoked by. */
  readonly id?: string;
  readonly issuedAtMs?: number;
  readonly info?: unknown;
  readonly channels?: readonly string[];
  readonly capabilities?: readonly Capability[];
  readonly issuer?: string;
  readonly audience?: string;
}

/** A signed token. `key` must hold a secret: with a public key one can verify and not sign. */
export async function mintToken(draft: TokenDraft, key: Extract<TokenKey, { secret: string }>): Promise<string> {
  const claims = new SignJWT({
    ...(draft.channel === undefined ? {} : { channel: draft.channel }),
    ...(draft.tenant === undefined ? {} : { [draft.tenant.claim]: draft.tenant.name }),
    ...(draft.info === undefined ? {} : { info: draft.info }),
    ...(draft.channels === undefined ? {} : { channels: [...draft.channels] }),
    ...(draft.capabilities === undefined ? {} : { caps: draft.capabilities }),
  });
  claims.setProtectedHeader({ alg: key.alg, ...(key.kid === undefined ? {} : { kid: key.kid }) });
  if (draft.user !== '') claims.setSubject(draft.user);
  if (draft.expiresAtMs !== undefined) claims.setExpirationTime(Math.floor(draft.expiresAtMs / 1000));
  if (draft.id !== undefined) claims.setJti(draft.id);
  if (draft.issuedAtMs !== undefined) claims.setIssuedAt(Math.floor(draft.issuedAtMs / 1000));
  if (draft.issuer !== undefined) claims.setIssuer(draft.issuer);
  if (draft.audience !== undefined) claims.setAudience(draft.audience);
  return claims.sign(createSecretKey(Buffer.from(key.secret)));
}

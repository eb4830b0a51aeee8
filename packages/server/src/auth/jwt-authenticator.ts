import { createHash } from 'node:crypto';
import { Disconnect, disconnects, Rejection, rejections } from '@tutti/protocol';

import type { JWTPayload } from 'jose';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../telemetry/telemetry.ts';
import {
  BadToken,
  type Authenticator,
  type ConnectAttempt,
  type Identity,
  type SubscriptionGrant,
} from './authenticator.ts';
import { BadClaims, readConnectionClaims, readSubscriptionClaims } from './claims.ts';
import { KeysUnavailable } from './jwks-source.ts';
import { TokenVerifier, type TokenVerifierSettings } from './token-verifier.ts';

export interface JwtAuthenticatorSettings extends TokenVerifierSettings {
  /** True: a client without a token is an anonymous user. */
  readonly allowAnonymous: boolean;
  /** The claim that says whose user it is; empty: there are no tenants. */
  readonly tenantClaim: string;
}

/**
 * Signed tokens say who connects, and open channels.
 *
 * Connection token: `sub` (user; absent: anonymous), `exp`, `info` (JSON that others see), `channels`
 * (the server subscribes these), `caps` (`[{channels, allow}]`). Subscription token: `sub`, `channel`,
 * `exp`, `info`. Either is refused in the place of the other. The reason that a client is told is
 * enough for its developer and says nothing of keys.
 */
export class JwtAuthenticator implements Authenticator {
  readonly #verifier: TokenVerifier;
  readonly #allowAnonymous: boolean;
  readonly #tenantClaim: string;
  /** The tenants of issuers that have one. */
  readonly #tenants: ReadonlyMap<string, string | undefined>;

  /** Throws `Fault` for an unsound key. */
  constructor(settings: JwtAuthenticatorSettings, clock: Clock, log: Log) {
    this.#verifier = new TokenVerifier(settings, clock, log);
    this.#tenants = new Map(settings.tokenIssuers.map(({ issuer, tenant }) => [issuer, tenant]));
    this.#allowAnonymous = settings.allowAnonymous;
    this.#tenantClaim = settings.tenantClaim;
  }

  async connect(attempt: ConnectAttempt): Promise<Identity> {
    if (attempt.token === '') {
      if (this.#allowAnonymous) return { user: '', channels: [], capabilities: [] };
      throw new Disconnect(disconnects.invalidToken, 'no token: connect with a connection token');
    }
    return this.#connection(attempt.token);
  }

  async refresh(token: string, identity: Identity): Promise<Identity> {
    const renewed = await this.#connection(token);
    if (renewed.user !== identity.user || (renewed.tenant ?? '') !== (identity.tenant ?? ''))
      throw new Disconnect(disconnects.invalidToken, 'the new token belongs to another user');
    return renewed;
  }

  async subscription(token: string, identity: Identity, channel: string): Promise<SubscriptionGrant> {
    try {
      const payload = await this.#verifier.verify(token);
      const claims = readSubscriptionClaims(this.#bound(payload), this.#tenantClaim);
      if (claims.user !== identity.user) throw new BadClaims('the token belongs to another user');
      if (claims.tenant !== (identity.tenant ?? '')) throw new BadClaims('the token belongs to another tenant');
      if (claims.channel !== channel) throw new BadClaims('the token is for another channel');
      return { ...marks(token, payload), ...(claims.info === undefined ? {} : { info: claims.info }) };
    } catch (error) {
      throw refusal(error, (reason) => new Rejection(rejections.permissionDenied, `subscription token: ${reason}`));
    }
  }

  close(): void {
    this.#verifier.close();
  }

  /** The claims of an issuer of one tenant are of that tenant, and may say no other. Throws `BadClaims`. */
  #bound(payload: JWTPayload): JWTPayload {
    const tenant = payload.iss === undefined ? undefined : this.#tenants.get(payload.iss);
    if (tenant === undefined) return payload;
    const said = payload[this.#tenantClaim] ?? tenant;
    if (said !== tenant) throw new BadClaims('the issuer speaks for another tenant');
    return { ...payload, [this.#tenantClaim]: tenant };
  }

  async #connection(token: string): Promise<Identity> {
    try {
      const payload = await this.#verifier.verify(token);
      const { tenant, ...claims } = readConnectionClaims(this.#bound(payload), this.#tenantClaim);
      return { ...marks(token, payload), ...claims, ...(tenant === '' ? {} : { tenant }) };
    } catch (error) {
      throw refusal(error, (reason) => new Disconnect(disconnects.invalidToken, reason));
    }
  }
}

const tokenIdCharsMax = 256;

/** When it runs out, and what it can be revoked by; without a `jti` its own hash is as good. Throws `BadClaims`. */
function marks(
  token: string,
  { exp, iat, jti }: JWTPayload,
): { expiresAtMs?: number; issuedAtMs?: number; tokenId: string } {
  if (jti !== undefined && (typeof jti !== 'string' || jti === '' || jti.length > tokenIdCharsMax))
    throw new BadClaims(`the claim jti must be text of 1 to ${tokenIdCharsMax} characters`);
  return {
    ...(exp === undefined ? {} : { expiresAtMs: exp * 1000 }),
    ...(iat === undefined ? {} : { issuedAtMs: iat * 1000 }),
    tokenId: jti ?? `sha256:${createHash('sha256').update(token).digest('base64url')}`,
  };
}

function refusal(error: unknown, refuse: (reason: string) => Error): unknown {
  if (error instanceof KeysUnavailable) return new Rejection(rejections.internal, error.message);
  if (error instanceof BadToken && error.expired) return new Rejection(rejections.tokenExpired);
  if (!(error instanceof BadToken || error instanceof BadClaims)) return error;
  const refused = refuse(error.message);
  refused.cause = error;
  return refused;
}

import { createHash, createPublicKey, createSecretKey } from 'node:crypto';

import { decodeJwt, decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose';

import type { TokenIssuer } from '../config/token-issuer.ts';
import { keyIdPattern, tokenKeyProblem, tokenKeysMax, type TokenKey } from '../config/token-key.ts';
import type { Clock } from '../core/clock.ts';
import { Fault } from '../core/fault.ts';
import type { Log } from '../telemetry/telemetry.ts';
import type { ImportedKey } from './jwks-keys.ts';
import { BadToken } from './authenticator.ts';
import { JwksSource } from './jwks-source.ts';

/** Longest token looked at; what a token says is bounded by this too. */
export const tokenBytesMax = 8 * 1024;
/** Verified tokens remembered, so that a reconnect storm costs a hash and not a signature each. */
export const verifiedTokensMax = 10_000;
/** Longer ones are verified anew each time, so that the memory of remembered claims has a bound too. */
export const rememberedTokenBytesMax = 2 * 1024;
/** Published keys that a token without a kid is tried with. */
const triedKeysMax = 4;
/** Seconds; the last moment a date can name. */
const expiryMax = 8_640_000_000_000;

export interface TokenVerifierSettings {
  readonly tokenKeys: readonly TokenKey[];
  /** One more key, with algorithm HS256; empty for none. */
  readonly tokenHmacSecret: string;
  /** Empty: not checked. */
  readonly tokenIssuer: string;
  readonly tokenAudience: string;
  readonly tokenLeewayMs: number;
  readonly tokenIssuers: readonly TokenIssuer[];
  readonly jwksRefreshIntervalMs: number;
  readonly jwksStaleMaxMs: number;
  /** From issue to expiry; 0: any. */
  readonly tokenLifetimeMaxMs: number;
}

/** A token that was verified, and what with. */
interface Verified {
  readonly claims: JWTPayload;
  readonly key: ImportedKey;
  /** Absent: a configured key. */
  readonly source?: JwksSource;
}

/** Who may have signed, and what else its tokens must say. */
interface Signer {
  readonly keys: readonly ImportedKey[];
  readonly issuer: string;
  readonly audience: readonly string[];
  readonly source?: JwksSource;
}

/**
 * Turns a token into its claims, or throws `BadToken`. The key decides the algorithm (S5); of the
 * header only `alg` and `kid` are looked at, both as names to find a key by, never as the key
 * itself or a place to fetch it from (S6).
 */
export class TokenVerifier {
  readonly #keys: readonly ImportedKey[];
  readonly #settings: TokenVerifierSettings;
  readonly #clock: Clock;
  /** SHA-256 of the token → its claims; the oldest leaves first. Never the token itself. */
  readonly #verified = new Map<string, Verified>();
  readonly #issuers: ReadonlyMap<string, { readonly audience: readonly string[]; readonly source: JwksSource }>;

  /** Throws `Fault` for a key that is too weak, or no key of its algorithm. */
  constructor(settings: TokenVerifierSettings, clock: Clock, log: Log) {
    this.#settings = settings;
    this.#clock = clock;
    this.#keys = importKeys(settings);
    const { jwksRefreshIntervalMs: refreshIntervalMs, jwksStaleMaxMs: staleMaxMs } = settings;
    this.#issuers = new Map(
      settings.tokenIssuers.map(({ issuer, audience, jwksUrl: url }) => {
        const source = new JwksSource({ url, refreshIntervalMs, staleMaxMs }, { clock, log });
        source.open();
        return [issuer, { audience, source }];
      }),
    );
  }

  /** Fetches no more keys. */
  close(): void {
    for (const { source } of this.#issuers.values()) source.close();
  }

  /** How many tokens are remembered. */
  get remembered(): number {
    return this.#verified.size;
  }

  async verify(token: string): Promise<JWTPayload> {
    // UTF-16 units are at most bytes; a token is ASCII anyhow, or fails as malformed.
    if (token.length > tokenBytesMax) throw new BadToken(`the token is longer than ${tokenBytesMax} bytes`);
    const hash = createHash('sha256').update(token).digest('base64');
    const known = this.#verified.get(hash);
    // A key that was withdrawn takes with it what it verified.
    const isStanding = known !== undefined && (known.source === undefined || known.source.has(known.key));
    const verified = isStanding ? known : await this.#verifyUnknown(token);
    const { claims } = verified;
    if (claims.exp !== undefined && claims.exp * 1000 <= this.#clock.now()) {
      this.#verified.delete(hash);
      throw new BadToken('the token is expired', { expired: true });
    }
    if (token.length <= rememberedTokenBytesMax) this.#remember(hash, verified);
    return claims;
  }

  async #verifyUnknown(token: string): Promise<Verified> {
    const signer = await this.#signerOf(token);
    let failure: BadToken | undefined;
    for (const key of signer.keys) {
      try {
        const claims = await this.#verifyWith(token, key, signer);
        return { claims, key, ...(signer.source === undefined ? {} : { source: signer.source }) };
      } catch (error) {
        failure = asBadToken(error);
        // With the right key the claims were at fault, and no other key can change them.
        if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw failure;
      }
    }
    // Made only here: an error and its stack cost more than the signature check of a good token.
    throw failure ?? new BadToken('no configured key has the algorithm and key id of the token');
  }

  async #verifyWith(token: string, key: ImportedKey, { issuer, audience }: Signer): Promise<JWTPayload> {
    const { tokenLeewayMs } = this.#settings;
    const { payload } = await jwtVerify(token, key.key, {
      algorithms: [key.alg],
      ...(issuer === '' ? {} : { issuer }),
      ...(audience.length === 0 ? {} : { audience: [...audience] }),
      clockTolerance: tokenLeewayMs / 1000,
      currentDate: new Date(this.#clock.now()),
    });
    if (payload.exp !== undefined && !(payload.exp <= expiryMax))
      throw new BadToken('the claim exp is no moment in seconds');
    // jose checks iat only where a maximal age is asked for.
    if (payload.iat !== undefined && payload.iat * 1000 > this.#clock.now() + tokenLeewayMs) {
      throw new BadToken('the token was issued in the future: compare the clocks');
    }
    this.#checkLifetime(payload);
    return payload;
  }

  /** So that what was revoked may be forgotten after that time: no token that it concerned is believed any more. */
  #checkLifetime({ exp, iat }: JWTPayload): void {
    const { tokenLifetimeMaxMs } = this.#settings;
    if (tokenLifetimeMaxMs === 0) return;
    const issuedAtMs = iat === undefined ? this.#clock.now() : iat * 1000;
    if (exp !== undefined && exp * 1000 - issuedAtMs <= tokenLifetimeMaxMs) return;
    throw new BadToken(exp === undefined ? 'the token has no end (exp), and needs one' : 'the token lives too long');
  }

  /**
   * Before anything is verified the token's `iss` is looked at, as a name that chooses one of the configured issuers,
   * as `kid` chooses a key: what it says is believed only once that issuer's own key has verified it (S7).
   * Throws `KeysUnavailable`, `BadToken`.
   */
  async #signerOf(token: string): Promise<Signer> {
    const { alg, kid } = readHeader(token);
    const { tokenIssuer, tokenAudience } = this.#settings;
    const usual = tokenAudience === '' ? [] : [tokenAudience];
    const iss = this.#issuers.size === 0 ? '' : claimedIssuer(token);
    const found = this.#issuers.get(iss);
    if (found === undefined) return { keys: this.#configured(alg, kid), issuer: tokenIssuer, audience: usual };
    const { source, audience } = found;
    // Without a kid each key is a signature to be checked, and a stranger decides how often.
    const keys = (await source.find(alg, kid)).slice(0, triedKeysMax);
    return { keys, issuer: iss, audience: audience.length > 0 ? audience : usual, source };
  }

  #configured(alg: string | undefined, kid: string | undefined): ImportedKey[] {
    const fitting = this.#keys.filter((key) => key.alg === alg);
    if (kid === undefined) return fitting;
    const named = fitting.filter((key) => key.kid === kid);
    // Issuers may name keys that the configuration does not name; then the algorithm chooses.
    return named.length > 0 ? named : fitting.filter((key) => key.kid === undefined);
  }

  #remember(hash: string, verified: Verified): void {
    if (this.#verified.delete(hash)) {
      this.#verified.set(hash, verified);
      return;
    }
    for (const oldest of this.#verified.keys()) {
      if (this.#verified.size < verifiedTokensMax) break;
      this.#verified.delete(oldest);
    }
    this.#verified.set(hash, verified);
  }
}

function importKeys(settings: TokenVerifierSettings): ImportedKey[] {
  const short: TokenKey[] = settings.tokenHmacSecret === '' ? [] : [{ alg: 'HS256', secret: settings.tokenHmacSecret }];
  const keys = [...settings.tokenKeys, ...short];
  if (keys.length > tokenKeysMax + 1)
    throw new Fault('auth', `more than ${tokenKeysMax} token keys`, { retryable: false });
  return keys.map((key, index) => {
    const problem = tokenKeyProblem(key, createPublicKey);
    if (problem !== undefined) throw new Fault('auth', `token key ${index + 1}: ${problem}`, { retryable: false });
    const imported = 'secret' in key ? createSecretKey(Buffer.from(key.secret)) : createPublicKey(key.publicKey);
    return { alg: key.alg, kid: key.kid, key: imported };
  });
}

function readHeader(token: string): { alg: string | undefined; kid: string | undefined } {
  let header: ReturnType<typeof decodeProtectedHeader>;
  try {
    header = decodeProtectedHeader(token);
  } catch {
    throw new BadToken('the token is not a JWT');
  }
  const { kid, alg } = header as { kid?: unknown; alg?: unknown };
  if (kid !== undefined && (typeof kid !== 'string' || !keyIdPattern.test(kid))) {
    throw new BadToken('the key id (kid) of the token has characters that no key id has');
  }
  return { alg: typeof alg === 'string' ? alg : undefined, kid };
}

function claimedIssuer(token: string): string {
  try {
    const { iss } = decodeJwt(token);
    return typeof iss === 'string' ? iss : '';
  } catch {
    return '';
  }
}

function asBadToken(error: unknown): BadToken {
  if (error instanceof BadToken) return error;
  if (error instanceof errors.JWTExpired) return new BadToken('the token is expired', { expired: true });
  if (error instanceof errors.JWTClaimValidationFailed) {
    return new BadToken(`the claim ${error.claim} of the token is not as it must be (${error.reason})`);
  }
  if (error instanceof errors.JWSSignatureVerificationFailed)
    return new BadToken('the signature is not by a configured key');
  return new BadToken('the token is malformed');
}

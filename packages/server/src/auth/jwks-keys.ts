import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { keyIdPattern, tokenKeyProblem, tokenKeysMax, type TokenAlgorithm } from '../config/token-key.ts';

/** A key that verifies, and the one algorithm that it is used with (S5). */
export interface ImportedKey {
  readonly alg: string;
  readonly kid: string | undefined;
  readonly key: KeyObject;
  /** Of a fetched key: its public half in PEM. The same text is the same key. */
  readonly pem?: string;
}

const curveAlgorithms: ReadonlyMap<unknown, TokenAlgorithm> = new Map<unknown, TokenAlgorithm>([
  ['P-256', 'ES256'],
  ['P-384', 'ES384'],
  ['P-521', 'ES512'],
  ['Ed25519', 'EdDSA'],
]);
const rsaAlgorithms: readonly unknown[] = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];

/**
 * The keys of a set (RFC 7517) that may verify tokens; others are left out, and told by `skipped` with the reason.
 * Secrets (`oct`) are never taken: what is public cannot be one. Throws where it is no set at all.
 */
export function keysOfSet(set: unknown, skipped: (reason: string) => void): ImportedKey[] {
  const written = isRecord(set) ? set['keys'] : undefined;
  if (!Array.isArray(written)) throw new Error('the answer is no key set: it has no list "keys"');
  if (written.length > tokenKeysMax) skipped(`more than ${tokenKeysMax} keys: the rest is not looked at`);
  const keys: ImportedKey[] = [];
  for (const jwk of written.slice(0, tokenKeysMax) as unknown[]) {
    const key = isRecord(jwk) ? importKey(jwk) : 'a key is no object';
    if (typeof key === 'string') skipped(key);
    else if (key.kid !== undefined && keys.some(({ kid }) => kid === key.kid)) skipped('a kid comes twice');
    else keys.push(key);
  }
  return keys;
}

/** A text says why not. */
function importKey(jwk: Readonly<Record<string, unknown>>): ImportedKey | string {
  const { kty, kid, use, alg, key_ops: operations } = jwk;
  if (use !== undefined && use !== 'sig') return 'a key is not for signatures';
  if (Array.isArray(operations) && !operations.includes('verify')) return 'a key is not for verifying';
  if (kid !== undefined && (typeof kid !== 'string' || !keyIdPattern.test(kid)))
    return 'a kid is not 1 to 64 of the characters A-Z a-z 0-9 _ -';
  const bound = algorithmOf(kty, jwk['crv']);
  const chosen = alg === undefined ? bound?.[0] : bound?.find((each) => each === alg);
  if (chosen === undefined) return 'a key has a type or an algorithm that is not supported';
  try {
    // Only the public members: a private half that somebody published is not even read.
    const { n, e, crv, x, y } = jwk;
    const key = createPublicKey({ key: { kty, n, e, crv, x, y } as JsonWebKey, format: 'jwk' });
    const pem = key.export({ type: 'spki', format: 'pem' }).toString();
    const problem = tokenKeyProblem({ alg: chosen, publicKey: pem }, createPublicKey);
    return problem ?? { alg: chosen, kid, key, pem };
  } catch {
    return 'a key cannot be read';
  }
}

/** What a key of this type may be used with; the first where the set does not say. */
function algorithmOf(kty: unknown, crv: unknown): TokenAlgorithm[] | undefined {
  if (kty === 'RSA') return rsaAlgorithms as TokenAlgorithm[];
  if (kty !== 'EC' && kty !== 'OKP') return undefined;
  const alg = curveAlgorithms.get(crv);
  return alg === undefined || (alg === 'EdDSA') !== (kty === 'OKP') ? undefined : [alg];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What tokens may be signed with. `none` is not in it, and nothing can put it there. */
export const tokenAlgorithms = [
  'HS256',
  'HS384',
  'HS512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const;
export type TokenAlgorithm = (typeof tokenAlgorithms)[number];

/** A key and the one algorithm it is used with (S5). */
export type TokenKey =
  | { readonly alg: TokenAlgorithm; readonly kid?: string; readonly secret: string }
  | { readonly alg: TokenAlgorithm; readonly kid?: string; readonly publicKey: string };

/** S6: a key id is a name in our own map and nothing else. */
export const keyIdPattern: RegExp = /^[A-Za-z0-9_-]{1,64}$/;
export const secretBytesMin = 32;
export const rsaBitsMin = 2048;
/** Keys of one node: each may be tried for a token that names none. */
export const tokenKeysMax = 16;

const curves: Readonly<Partial<Record<TokenAlgorithm, string>>> = {
  ES256: 'prime256v1',
  ES384: 'secp384r1',
  ES512: 'secp521r1',
};

/** What is looked at of a public key; `KeyObject` of node:crypto has it. */
export interface PublicKeyFacts {
  readonly asymmetricKeyType?: string | undefined;
  readonly asymmetricKeyDetails?: { readonly modulusLength?: number; readonly namedCurve?: string } | undefined;
}

/**
 * What is wrong with a key, and what to do; undefined for a sound one. Never says the key itself.
 * `parse`: `createPublicKey` of node:crypto, which throws for what is no key in PEM form.
 */
export function tokenKeyProblem(key: TokenKey, parse: (pem: string) => PublicKeyFacts): string | undefined {
  if (!tokenAlgorithms.includes(key.alg)) return `algorithm must be one of ${tokenAlgorithms.join(', ')}`;
  if (key.kid !== undefined && !keyIdPattern.test(key.kid))
    return 'kid must be 1 to 64 of the characters A-Z a-z 0-9 _ -';
  return 'secret' in key ? secretProblem(key.alg, key.secret) : publicKeyProblem(key.alg, key.publicKey, parse);
}

function secretProblem(alg: TokenAlgorithm, secret: string): string | undefined {
  if (!alg.startsWith('HS'))
    return `${alg} verifies with a public key, not with a secret: give publicKey or publicKeyFile`;
  // A public key as HMAC secret is known to everybody: the algorithm-confusion attack.
  if (secret.includes('-----BEGIN'))
    return `this is a PEM key, and not an HMAC secret: use alg RS256, ES256 or EdDSA with publicKey`;
  const bytes = Buffer.byteLength(secret);
  if (bytes < secretBytesMin) {
    return `the secret has ${bytes} bytes and needs at least ${secretBytesMin}: make one with \`openssl rand -base64 48\``;
  }
  return undefined;
}

function publicKeyProblem(
  alg: TokenAlgorithm,
  pem: string,
  parse: (pem: string) => PublicKeyFacts,
): string | undefined {
  if (alg.startsWith('HS')) return `${alg} needs a secret, not a public key: use alg RS256, ES256 or EdDSA`;
  if (pem.includes('PRIVATE KEY')) return 'this is a private key: give its public half only (`openssl pkey -pubout`)';
  let key: PublicKeyFacts;
  try {
    key = parse(pem);
  } catch {
    return 'this is not a public key in PEM form (-----BEGIN PUBLIC KEY-----)';
  }
  return fitProblem(alg, key);
}

function fitProblem(alg: TokenAlgorithm, key: PublicKeyFacts): string | undefined {
  const type = key.asymmetricKeyType ?? 'unknown';
  const details = key.asymmetricKeyDetails ?? {};
  if (alg === 'EdDSA') return type === 'ed25519' ? undefined : `EdDSA needs an ed25519 key, and this is ${type}`;
  if (alg.startsWith('ES')) {
    const curve = curves[alg];
    const found = details.namedCurve ?? type;
    return found === curve ? undefined : `${alg} needs a key on curve ${curve ?? ''}, and this is ${found}`;
  }
  if (type !== 'rsa') return `${alg} needs an RSA key, and this is ${type}`;
  const bits = details.modulusLength ?? 0;
  return bits >= rsaBitsMin ? undefined : `the RSA key has ${bits} bits and needs at least ${rsaBitsMin}`;
}

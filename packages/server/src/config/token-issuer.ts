/** Somebody whose tokens are believed, and who publishes the keys that verify them. */
export interface TokenIssuer {
  /** The `iss` of its tokens, exactly. */
  readonly issuer: string;
  readonly jwksUrl: string;
  /** One of them must be in `aud`. Empty: `tokenAudience` holds. */
  readonly audience: readonly string[];
  /** The only tenant that it speaks for. Absent: its tokens say which. */
  readonly tenant?: string;
}

export const tokenIssuersMax = 64;

/** What is wrong with the address of keys; undefined where nothing is. */
export function jwksUrlProblem(url: string): string | undefined {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined) return 'must be an address, such as https://login.example.com/.well-known/jwks.json';
  // Whoever can change the answer on its way signs whatever they like.
  const isLocal = ['127.0.0.1', '[::1]', 'localhost'].includes(parsed.hostname);
  if (parsed.protocol !== 'https:' && !(parsed.protocol === 'http:' && isLocal))
    return 'must begin with https:// (http:// on this machine only)';
  if (parsed.username !== '' || parsed.password !== '') return 'must not hold a name or a password';
  return undefined;
}

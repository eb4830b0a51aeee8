interface KeyPair {
  getPublicKey(): string;
  getSeed(): Uint8Array;
  sign(bytes: Uint8Array): Uint8Array;
}

/** `nkeys` of the driver, which whoever tests with NATS has. */
export interface KeyMaker {
  createOperator(): KeyPair;
  createAccount(): KeyPair;
  createUser(): KeyPair;
}

/** A NATS whose users show JWTs: an operator, an account with JetStream, and one user of it. */
export interface NatsOperator {
  /** For the configuration of the servers. */
  readonly extra: string;
  /** Content of the user's `.creds` file. */
  readonly credentials: string;
  /** The part of it that nobody else may see. */
  readonly seed: string;
}

const unlimited = { subs: -1, data: -1, payload: -1 };
const jetStream = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };

export function natsOperator(nkeys: KeyMaker): NatsOperator {
  const [operator, system, account, user] = [
    nkeys.createOperator(),
    nkeys.createAccount(),
    nkeys.createAccount(),
    nkeys.createUser(),
  ];
  const limits = { ...unlimited, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
  const accountJwt = (key: KeyPair, name: string, more = {}): string =>
    jwt(operator, key, name, { type: 'account', limits: { ...limits, ...more } });
  const userJwt = jwt(account, user, 'node', { type: 'user', ...unlimited });
  const seed = Buffer.from(user.getSeed()).toString();
  const [systemId, accountId] = [system.getPublicKey(), account.getPublicKey()];
  return {
    extra: `
operator: ${jwt(operator, operator, 'test', { type: 'operator', system_account: systemId })}
system_account: ${systemId}
resolver: MEMORY
resolver_preload: {
  ${systemId}: ${accountJwt(system, 'SYS')}
  ${accountId}: ${accountJwt(account, 'APP', jetStream)}
}`,
    credentials: `-----BEGIN NATS USER JWT-----
${userJwt}
------END NATS USER JWT------

-----BEGIN USER NKEY SEED-----
${seed}
------END USER NKEY SEED------
`,
    seed,
  };
}

/** Source: NATS ADR-14 (JWTs v2). */
function jwt(issuer: KeyPair, subject: KeyPair, name: string, nats: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    jti: name,
    iat: Math.floor(Date.now() / 1_000),
    ...{ iss: issuer.getPublicKey(), sub: subject.getPublicKey(), name },
    nats: { ...nats, version: 2 },
  };
  const text = `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part(claims)}`;
  return `${text}.${Buffer.from(issuer.sign(Buffer.from(text))).toString('base64url')}`;
}

import { Rejection } from '@tutti/protocol';
import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { VirtualClock } from '@tutti/testkit';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose';
import type { TokenIssuer } from '../config/token-issuer.ts';
import { nullLog } from '../telemetry/null-telemetry.ts';
import { JwksSource, refetchMinMs, setBytesMax } from './jwks-source.ts';
import { JwtAuthenticator, type JwtAuthenticatorSettings } from './jwt-authenticator.ts';

const timeout = 30_000;
const start = Date.UTC(2026, 0, 1);

/** An issuer with a real HTTP server for its keys. */
class Issuer {
  readonly name: string;
  jwks: { keys: JWK[] } = { keys: [] };
  /** In place of the set. */
  answer: { status: number; body: string; headers?: Record<string, string> } | undefined;
  requests = 0;
  url = '';
  readonly #private = new Map<string, CryptoKey>();

  constructor(name: string) {
    this.name = name;
  }

  async listen(t: TestContext): Promise<this> {
    const server = createServer((_request, response) => {
      this.requests += 1;
      const { status, body, headers = {} } = this.answer ?? { status: 200, body: JSON.stringify(this.jwks) };
      response.writeHead(status, headers).end(body);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      server.closeAllConnections();
      server.close();
    });
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
    return this;
  }

  async addKey(alg: string, kid: string, more: Partial<JWK> = {}): Promise<void> {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    this.#private.set(kid, privateKey);
    this.jwks.keys.push({ ...(await exportJWK(publicKey)), kid, use: 'sig', ...more });
  }

  token(alg: string, kid: string, claims: Record<string, unknown> = {}, header: object = {}): Promise<string> {
    const key = this.#private.get(kid);
    assert.ok(key);
    const payload = { sub: 'ann', iss: this.name, ...claims };
    return new SignJWT(payload).setProtectedHeader({ ...header, alg, kid }).sign(key);
  }

  entry(more: Partial<TokenIssuer> = {}): TokenIssuer {
    return { issuer: this.name, jwksUrl: this.url, audience: [], ...more };
  }
}

class Scene {
  readonly clock = new VirtualClock({ nowMs: start });
  readonly authenticator: JwtAuthenticator;

  constructor(t: TestContext, tokenIssuers: TokenIssuer[], more: Partial<JwtAuthenticatorSettings> = {}) {
    const settings = {
      ...{ tokenKeys: [], tokenHmacSecret: '', tokenIssuer: '', tokenAudience: '', tokenLeewayMs: 0 },
      ...{ tokenLifetimeMaxMs: 0, allowAnonymous: false, tenantClaim: '' },
      ...{ jwksRefreshIntervalMs: 600_000, jwksStaleMaxMs: 3_600_000 },
      ...{ tokenIssuers, ...more },
    };
    this.authenticator = new JwtAuthenticator(settings, this.clock, nullLog);
    t.after(() => this.authenticator.close());
  }

  /** The user; or `later` for a refusal that invites to come again, `never` for one that does not. */
  async connect(token: string): Promise<string> {
    try {
      const attempt = { token, name: '', version: '', remoteAddress: '127.0.0.1' };
      const { user, tenant } = await this.authenticator.connect(attempt);
      return tenant === undefined ? user : `${user}@${tenant}`;
    } catch (error) {
      return error instanceof Rejection && error.kind.temporary ? 'later' : 'never';
    }
  }
}

test(
  'S5: keys of RSA, elliptic curves and Ed25519 verify with their own algorithm and no other',
  { timeout },
  async (t) => {
    const issuer = await new Issuer('https://a').listen(t);
    for (const alg of ['RS256', 'ES256', 'EdDSA']) await issuer.addKey(alg, alg.toLowerCase());
    await issuer.addKey('PS256', 'ps', { alg: 'PS256' });
    const scene = new Scene(t, [issuer.entry()]);
    for (const alg of ['RS256', 'ES256', 'EdDSA'])
      assert.equal(await scene.connect(await issuer.token(alg, alg.toLowerCase())), 'ann', alg);
    assert.equal(await scene.connect(await issuer.token('PS256', 'ps')), 'ann');
    const publicKey = JSON.stringify(issuer.jwks.keys[0]);
    for (const secret of [publicKey, issuer.jwks.keys[0]?.n ?? '']) {
      const forged = new SignJWT({ sub: 'eve', iss: issuer.name }).setProtectedHeader({ alg: 'HS256', kid: 'rs256' });
      assert.equal(await scene.connect(await forged.sign(createSecretKey(Buffer.from(secret)))), 'never');
    }
  },
);

test('S6: a kid of one issuer is nothing to another, though it is the same', { timeout }, async (t) => {
  const [a, b] = [await new Issuer('https://a').listen(t), await new Issuer('https://b').listen(t)];
  for (const issuer of [a, b]) await issuer.addKey('ES256', 'key-1');
  const scene = new Scene(t, [a.entry({ tenant: 'acme' }), b.entry({ tenant: 'rival' })], { tenantClaim: 'tenant' });
  assert.equal(await scene.connect(await a.token('ES256', 'key-1')), 'ann@acme');
  assert.equal(await scene.connect(await b.token('ES256', 'key-1')), 'ann@rival');
  for (const [signer, claimed] of [
    [a, b],
    [b, a],
  ] as const) {
    const crossing = await signer.token('ES256', 'key-1', { iss: claimed.name });
    assert.equal(await scene.connect(crossing), 'never');
  }
  assert.equal(await scene.connect(await a.token('ES256', 'key-1', { tenant: 'rival' })), 'never', 'bound to acme');
  assert.equal(await scene.connect(await a.token('ES256', 'key-1', { iss: 'https://c' })), 'never');
});

test('S7: what a token says of where keys are is not looked at', { timeout }, async (t) => {
  const [issuer, evil] = [await new Issuer('https://a').listen(t), await new Issuer('https://a').listen(t)];
  await issuer.addKey('ES256', 'good');
  await evil.addKey('ES256', 'good');
  const scene = new Scene(t, [issuer.entry()]);
  const header = { jku: evil.url, x5u: evil.url, jwk: evil.jwks.keys[0] };
  assert.equal(await scene.connect(await evil.token('ES256', 'good', {}, header)), 'never');
  assert.equal(evil.requests, 0);
});

test('S6: a rotation is followed: the new key at once, and the old one no longer', { timeout }, async (t) => {
  const issuer = await new Issuer('https://a').listen(t);
  await issuer.addKey('ES256', 'old');
  const scene = new Scene(t, [issuer.entry()]);
  const old = await issuer.token('ES256', 'old');
  assert.equal(await scene.connect(old), 'ann');
  scene.clock.advance(refetchMinMs);
  issuer.jwks.keys = [];
  await issuer.addKey('ES256', 'new');
  assert.equal(await scene.connect(old), 'ann', 'nobody has told the node yet');
  assert.equal(await scene.connect(await issuer.token('ES256', 'new')), 'ann');
  assert.equal(issuer.requests, 2);
  assert.equal(await scene.connect(old), 'later', 'the remembered token is gone with its key');
  scene.clock.advance(refetchMinMs);
  assert.equal(await scene.connect(old), 'never');
});

test('S6: kids that nobody knows ask the issuer once in a while, however many they are', { timeout }, async (t) => {
  const issuer = await new Issuer('https://a').listen(t);
  await issuer.addKey('ES256', 'good');
  const stranger = new Issuer('https://a');
  for (let i = 0; i < 20; i += 1) await stranger.addKey('ES256', `made-up-${i}`);
  const scene = new Scene(t, [issuer.entry()]);
  assert.equal(await scene.connect(await issuer.token('ES256', 'good')), 'ann');
  scene.clock.advance(refetchMinMs);
  const made = await Promise.all(Array.from({ length: 20 }, (_, i) => stranger.token('ES256', `made-up-${i}`)));
  await Promise.all(made.map((token) => scene.connect(token)));
  for (const token of made) assert.equal(await scene.connect(token), 'later');
  assert.equal(issuer.requests, 2);
  assert.equal(await scene.connect(await issuer.token('ES256', 'good')), 'ann');
});

test(
  'while the issuer is down its keys serve for a time, and before the first fetch tokens are told to wait',
  { timeout },
  async (t) => {
    const issuer = await new Issuer('https://a').listen(t);
    await issuer.addKey('ES256', 'good');
    issuer.answer = { status: 500, body: '' };
    const scene = new Scene(t, [issuer.entry()]);
    const token = await issuer.token('ES256', 'good');
    assert.equal(await scene.connect(token), 'later');
    issuer.answer = undefined;
    // The retry; further, and its own time-out would come before any real answer can.
    scene.clock.advance(1_000);
    assert.equal(await scene.connect(token), 'ann');
    issuer.answer = { status: 500, body: '' };
    scene.clock.advance(3_500_000);
    assert.equal(await scene.connect(token), 'ann');
    scene.clock.advance(200_000);
    assert.equal(await scene.connect(token), 'later', 'older than jwksStaleMax');
  },
);

const bad: [string, { status: number; body: string; headers?: Record<string, string> }][] = [
  ['no JSON', { status: 200, body: '<html>' }],
  ['no set', { status: 200, body: '{"keys":{}}' }],
  ['an empty set', { status: 200, body: '{"keys":[]}' }],
  [
    'keys of other kinds',
    { status: 200, body: '{"keys":[null,7,{"kty":"oct","k":"AAAA"},{"kty":"RSA","n":"AQ","e":"AQAB"}]}' },
  ],
  ['a redirect', { status: 302, body: '', headers: { Location: '/elsewhere' } }],
  ['too much', { status: 200, body: ' '.repeat(setBytesMax + 1) }],
];
for (const [title, answer] of bad) {
  test(
    `S7: ${title} in the place of keys changes nothing, and is no reason to turn anybody away`,
    { timeout },
    async (t) => {
      const issuer = await new Issuer('https://a').listen(t);
      await issuer.addKey('ES256', 'good');
      await issuer.addKey('ES256', 'later');
      issuer.jwks.keys.pop();
      const scene = new Scene(t, [issuer.entry()]);
      assert.equal(await scene.connect(await issuer.token('ES256', 'good')), 'ann');
      scene.clock.advance(refetchMinMs);
      issuer.answer = answer;
      assert.equal(await scene.connect(await issuer.token('ES256', 'later')), 'later');
      assert.equal(await scene.connect(await issuer.token('ES256', 'good', { x: 1 })), 'ann');
    },
  );
}

test('S7: issuer and audience are checked, each issuer with its own', { timeout }, async (t) => {
  const issuer = await new Issuer('https://a').listen(t);
  await issuer.addKey('ES256', 'good');
  const secret = 'a-secret-of-32-bytes-or-more-for-tests';
  const own = { tokenHmacSecret: secret, tokenAudience: 'usual' };
  const scene = new Scene(t, [issuer.entry({ audience: ['tutti', 'other'] })], own);
  assert.equal(await scene.connect(await issuer.token('ES256', 'good', { aud: 'tutti' })), 'ann');
  assert.equal(await scene.connect(await issuer.token('ES256', 'good', { aud: ['x', 'other'] })), 'ann');
  for (const aud of ['usual', [], undefined]) {
    const claims = aud === undefined ? {} : { aud };
    assert.equal(await scene.connect(await issuer.token('ES256', 'good', claims)), 'never');
  }
  const bySecret = (claims: object): Promise<string> =>
    new SignJWT({ sub: 'bob', aud: 'usual', ...claims })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(createSecretKey(Buffer.from(secret)));
  assert.equal(await scene.connect(await bySecret({})), 'bob');
  assert.equal(
    await scene.connect(await bySecret({ iss: 'https://a' })),
    'never',
    'only its own keys speak for an issuer',
  );
});

test('an issuer that does not answer does not keep a node that stops from its end', { timeout }, async (t) => {
  const server = createServer(() => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`;
  const asked = once(server, 'request') as Promise<[IncomingMessage]>;
  // Its clock stands still: nothing but the end ends the question.
  const settings = { url, refreshIntervalMs: 600_000, staleMaxMs: 3_600_000 };
  const source = new JwksSource(settings, { clock: new VirtualClock(), log: nullLog });
  source.open();
  const [request] = await asked;
  const cut = once(request.socket, 'close');
  source.close();
  await cut;
});

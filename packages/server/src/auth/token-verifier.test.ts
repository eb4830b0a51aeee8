import { nullLog } from '../telemetry/null-telemetry.ts';
import { VirtualClock } from '@tutti/testkit';
import assert from 'node:assert/strict';
import { createSecretKey, generateKeyPairSync, type KeyObject, sign as signBytes } from 'node:crypto';
import { test } from 'node:test';
import { SignJWT } from 'jose';

import type { TokenAlgorithm, TokenKey } from '../config/token-key.ts';
import { Fault } from '../core/fault.ts';
import { BadToken } from './authenticator.ts';
import { rememberedTokenBytesMax, tokenBytesMax, TokenVerifier, verifiedTokensMax } from './token-verifier.ts';

const secret = 'a-secret-of-32-bytes-or-more-for-tests';
const otherSecret = 'another-secret-of-32-bytes-or-more-too';
const start = Date.UTC(2026, 0, 1);
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pairs = {
  RS: rsa,
  PS: rsa,
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ES512: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  EdDSA: generateKeyPairSync('ed25519'),
};

function pem(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

function verifier(
  tokenKeys: readonly TokenKey[],
  more: { iss?: string; aud?: string; clock?: VirtualClock } = {},
): TokenVerifier {
  return new TokenVerifier(
    {
      tokenKeys,
      tokenHmacSecret: '',
      tokenIssuer: more.iss ?? '',
      tokenAudience: more.aud ?? '',
      tokenLeewayMs: 30_000,
      tokenLifetimeMaxMs: 0,
      tokenIssuers: [],
      jwksRefreshIntervalMs: 600_000,
      jwksStaleMaxMs: 86_400_000,
    },
    more.clock ?? new VirtualClock({ nowMs: start }),
    nullLog,
  );
}

function signed(
  alg: string,
  key: KeyObject,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): Promise<string> {
  return new SignJWT({ sub: 'ann', ...claims }).setProtectedHeader({ ...header, alg }).sign(key);
}

const hmac = createSecretKey(Buffer.from(secret));

function raw(header: unknown, claims: unknown, signature = ''): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part(header)}.${part(claims)}.${signature}`;
}

function refused(reason: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof BadToken && !error.expired && reason.test(error.message);
}

const asymmetric: [TokenAlgorithm, { publicKey: KeyObject; privateKey: KeyObject }][] = [
  ['RS256', pairs.RS],
  ['RS384', pairs.RS],
  ['RS512', pairs.RS],
  ['PS256', pairs.PS],
  ['PS384', pairs.PS],
  ['PS512', pairs.PS],
  ['ES256', pairs.ES256],
  ['ES384', pairs.ES384],
  ['ES512', pairs.ES512],
  ['EdDSA', pairs.EdDSA],
];

for (const alg of ['HS256', 'HS384', 'HS512'] as const) {
  test(`S5: ${alg} verifies with its secret and with no other`, async () => {
    const long = secret.repeat(2);
    const key = createSecretKey(Buffer.from(long));
    assert.equal((await verifier([{ alg, secret: long }]).verify(await signed(alg, key))).sub, 'ann');
    await assert.rejects(
      verifier([{ alg, secret: otherSecret.repeat(2) }]).verify(await signed(alg, key)),
      refused(/signature/),
    );
  });
}

for (const [alg, pair] of asymmetric) {
  test(`S5: ${alg} verifies with its key, and no other algorithm with that key`, async () => {
    const keys = verifier([{ alg, publicKey: pem(pair.publicKey) }]);
    assert.equal((await keys.verify(await signed(alg, pair.privateKey))).sub, 'ann');
    for (const [other, otherPair] of asymmetric) {
      if (other === alg) continue;
      await assert.rejects(keys.verify(await signed(other, otherPair.privateKey)), refused(/no configured key/));
    }
  });
}

test('S5: the public key used as an HMAC secret signs nothing we believe', async () => {
  const publicPem = pem(rsa.publicKey);
  for (const alg of ['HS256', 'HS384', 'HS512']) {
    const forged = await signed(alg, createSecretKey(Buffer.from(publicPem)));
    await assert.rejects(
      verifier([{ alg: 'RS256', publicKey: publicPem }]).verify(forged),
      refused(/no configured key/),
    );
  }
});

test('S5: none is refused in every spelling, with and without a signature', async () => {
  const keys = verifier([{ alg: 'HS256', secret }]);
  for (const alg of [
    'none',
    'None',
    'NONE',
    'nOnE',
    'none ',
    '',
    null,
    undefined,
    ['HS256'],
    { toString: 'HS256' },
    0,
  ]) {
    for (const signature of ['', 'AAAA']) {
      await assert.rejects(keys.verify(raw({ alg }, { sub: 'root' }, signature)), refused(/./), JSON.stringify(alg));
    }
  }
});

test('S5: an ES256 signature of zeros is refused', async () => {
  const keys = verifier([{ alg: 'ES256', publicKey: pem(pairs.ES256.publicKey) }]);
  const zeros = Buffer.alloc(64).toString('base64url');
  await assert.rejects(keys.verify(raw({ alg: 'ES256' }, { sub: 'root' }, zeros)), refused(/signature|malformed/));
});

test('S5: an ES256 signature in DER form is refused', async () => {
  const keys = verifier([{ alg: 'ES256', publicKey: pem(pairs.ES256.publicKey) }]);
  const head = raw({ alg: 'ES256' }, { sub: 'root' }).slice(0, -1);
  const der = signBytes('sha256', Buffer.from(head), pairs.ES256.privateKey).toString('base64url');
  await assert.rejects(keys.verify(`${head}.${der}`), refused(/signature|malformed/));
});

const unsound: [string, TokenKey, RegExp][] = [
  ['short secret', { alg: 'HS256', secret: 'x'.repeat(31) }, /31 bytes.*at least 32/],
  ['PEM text as a secret', { alg: 'HS256', secret: pem(rsa.publicKey) }, /PEM key/],
  ['secret for RS256', { alg: 'RS256', secret }, /public key/],
  ['public key for HS256', { alg: 'HS256', publicKey: pem(rsa.publicKey) }, /needs a secret/],
  [
    'private key',
    { alg: 'RS256', publicKey: rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() },
    /private key/,
  ],
  [
    'RSA of 1024 bits',
    { alg: 'RS256', publicKey: pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey) },
    /1024 bits.*2048/,
  ],
  ['wrong curve', { alg: 'ES256', publicKey: pem(pairs.ES384.publicKey) }, /curve prime256v1/],
  ['RSA key for ES256', { alg: 'ES256', publicKey: pem(rsa.publicKey) }, /curve/],
  ['EC key for RS256', { alg: 'RS256', publicKey: pem(pairs.ES256.publicKey) }, /RSA key/],
  ['EC key for EdDSA', { alg: 'EdDSA', publicKey: pem(pairs.ES256.publicKey) }, /ed25519/],
  ['no PEM', { alg: 'RS256', publicKey: 'hello' }, /PEM form/],
  ['algorithm none', { alg: 'none' as TokenAlgorithm, secret }, /algorithm must be/],
  ['bad kid', { alg: 'HS256', kid: '../../etc/passwd', secret }, /kid/],
];
for (const [title, key, reason] of unsound) {
  test(`S5: an unsound key is refused at start: ${title}`, () => {
    assert.throws(
      () => verifier([key]),
      (error) => error instanceof Fault && reason.test(error.message) && !error.message.includes(secret),
    );
  });
}

test('S6: kid finds a key by name only', async () => {
  const keys = verifier([
    { alg: 'HS256', kid: 'one', secret },
    { alg: 'HS256', kid: 'two', secret: otherSecret },
  ]);
  const two = createSecretKey(Buffer.from(otherSecret));
  assert.equal((await keys.verify(await signed('HS256', hmac, {}, { kid: 'one' }))).sub, 'ann');
  assert.equal((await keys.verify(await signed('HS256', two, {}, { kid: 'two' }))).sub, 'ann');
  assert.equal((await keys.verify(await signed('HS256', two))).sub, 'ann', 'without a kid each key is tried');
  await assert.rejects(keys.verify(await signed('HS256', hmac, {}, { kid: 'two' })), refused(/signature/));
  await assert.rejects(keys.verify(await signed('HS256', hmac, {}, { kid: 'three' })), refused(/no configured key/));
});

test('S6: a kid that is a path, a query or no text is refused before any key is tried', async () => {
  const keys = verifier([{ alg: 'HS256', secret }]);
  for (const kid of [
    '../../dev/null',
    "' OR 1=1 --",
    '__proto__.x',
    'a'.repeat(65),
    '',
    'a b',
    'é',
    7,
    null,
    ['x'],
    {},
  ]) {
    await assert.rejects(
      keys.verify(raw({ alg: 'HS256', kid }, { sub: 'root' }, 'AAAA')),
      refused(/kid|JWT|malformed/),
      JSON.stringify(kid),
    );
  }
  await assert.rejects(
    keys.verify(await signed('HS256', createSecretKey(Buffer.alloc(0)), {}, { kid: 'constructor' }).catch(() => 'x')),
    refused(/./),
  );
});

test('S6: a key that the token brings along, or points to, is ignored', async () => {
  const mine = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const keys = verifier([{ alg: 'RS256', publicKey: pem(rsa.publicKey) }]);
  const headers = [
    { jwk: mine.publicKey.export({ format: 'jwk' }) },
    { jku: 'http://127.0.0.1:1/keys' },
    { x5u: 'http://127.0.0.1:1/cert' },
    { x5c: ['MIIB'] },
  ];
  for (const header of headers) {
    await assert.rejects(keys.verify(await signed('RS256', mine.privateKey, {}, header)), refused(/signature/));
    assert.equal((await keys.verify(await signed('RS256', rsa.privateKey, {}, header))).sub, 'ann');
  }
});

test('S5: an unknown critical header is refused', async () => {
  const keys = verifier([{ alg: 'HS256', secret }]);
  const token = await new SignJWT({ sub: 'ann' })
    .setProtectedHeader({ alg: 'HS256', crit: ['x'], x: 1 })
    .sign(hmac, { crit: { x: true } });
  await assert.rejects(keys.verify(token), refused(/malformed/));
});

test('S7: issuer and audience are checked where configured', async () => {
  const keys = verifier([{ alg: 'HS256', secret }], { iss: 'https://id.example', aud: 'tutti' });
  const good = { iss: 'https://id.example', aud: ['other', 'tutti'] };
  assert.equal((await keys.verify(await signed('HS256', hmac, good))).sub, 'ann');
  await assert.rejects(keys.verify(await signed('HS256', hmac, { aud: 'tutti' })), refused(/iss/));
  await assert.rejects(
    keys.verify(await signed('HS256', hmac, { ...good, iss: 'https://id.example.evil' })),
    refused(/iss/),
  );
  await assert.rejects(keys.verify(await signed('HS256', hmac, { iss: good.iss })), refused(/aud/));
  await assert.rejects(keys.verify(await signed('HS256', hmac, { ...good, aud: 'other' })), refused(/aud/));
});

test('S8: expiry is exact, by the injected clock, also for a token seen before', async () => {
  const clock = new VirtualClock({ nowMs: start });
  const keys = verifier([{ alg: 'HS256', secret }], { clock });
  const token = await signed('HS256', hmac, { exp: start / 1000 + 2 });
  await keys.verify(token);
  clock.advance(1_999);
  await keys.verify(token);
  clock.advance(1);
  const expired = (error: unknown): boolean => error instanceof BadToken && error.expired;
  await assert.rejects(keys.verify(token), expired);
  await assert.rejects(keys.verify(token), expired);
  assert.equal(keys.remembered, 0);
});

test('S8: an expired token with a wrong signature is wrong, not expired', async () => {
  const forged = await signed('HS256', createSecretKey(Buffer.from(otherSecret)), { exp: 1 });
  await assert.rejects(verifier([{ alg: 'HS256', secret }]).verify(forged), refused(/signature/));
});

test('S8: nbf and iat may be ahead by the leeway and no more', async () => {
  const keys = verifier([{ alg: 'HS256', secret }]);
  const now = start / 1000;
  for (const claim of ['nbf', 'iat']) {
    await keys.verify(await signed('HS256', hmac, { [claim]: now + 29 }));
    await assert.rejects(keys.verify(await signed('HS256', hmac, { [claim]: now + 31 })), refused(/nbf|future/));
  }
});

test('S5: times that are no moment are refused', async () => {
  const keys = verifier([{ alg: 'HS256', secret }]);
  for (const exp of ['"soon"', '1e999', '1e15', 'null', '[]']) {
    const head = `${Buffer.from('{"alg":"HS256"}').toString('base64url')}.${Buffer.from(`{"exp":${exp}}`).toString('base64url')}`;
    const signature = (await import('node:crypto')).createHmac('sha256', secret).update(head).digest('base64url');
    await assert.rejects(keys.verify(`${head}.${signature}`), refused(/exp|malformed/), exp);
  }
});

test('S5: a token beyond 8 KiB is refused unread', async () => {
  await assert.rejects(verifier([{ alg: 'HS256', secret }]).verify('a'.repeat(tokenBytesMax + 1)), refused(/longer/));
});

test('S5: what is no token is refused', async () => {
  const keys = verifier([{ alg: 'HS256', secret }]);
  for (const text of [
    '',
    '.',
    '..',
    '...',
    'a.b.c',
    'a.b',
    `${'a'.repeat(100)}.b.c`,
    '{"alg":"HS256"}',
    '\u0000',
    '\ud800.\ud800.\ud800',
    'null.null.null',
  ]) {
    await assert.rejects(keys.verify(text), refused(/./), JSON.stringify(text));
  }
});

test('S5: every single-character change of a token is refused', async () => {
  const keys = verifier([{ alg: 'HS256', secret }]);
  const token = await signed('HS256', hmac);
  for (let at = 0; at < token.length; at += 1) {
    const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
    // The last character of base64url carries spare bits: the bytes may be the same.
    if (
      Buffer.from(changed.split('.')[2] ?? '', 'base64url').equals(
        Buffer.from(token.split('.')[2] ?? '', 'base64url'),
      ) &&
      at > token.lastIndexOf('.')
    )
      continue;
    await assert.rejects(keys.verify(changed), refused(/./), String(at));
  }
});

test('BP-1: remembered tokens are bounded in number and size', async () => {
  const keys = verifier([{ alg: 'HS256', secret }]);
  await keys.verify(await signed('HS256', hmac, { info: 'x'.repeat(rememberedTokenBytesMax) }));
  assert.equal(keys.remembered, 0);
  for (let index = 0; index < verifiedTokensMax + 50; index += 1)
    await keys.verify(await signed('HS256', hmac, { jti: index }));
  assert.equal(keys.remembered, verifiedTokensMax);
});

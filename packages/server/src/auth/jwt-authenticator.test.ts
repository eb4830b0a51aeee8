import { nullLog } from '../telemetry/null-telemetry.ts';
import { VirtualClock } from '@tutti/testkit';
import { Disconnect, Rejection } from '@tutti/protocol';
import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { test } from 'node:test';
import { SignJWT } from 'jose';

import { BadToken, type ConnectAttempt, type Identity } from './authenticator.ts';
import { userBytesMax } from './capability.ts';
import { JwtAuthenticator, type JwtAuthenticatorSettings } from './jwt-authenticator.ts';
import { mintToken } from './mint-token.ts';

const secret = 'a-secret-of-32-bytes-or-more-for-tests';
const start = Date.UTC(2026, 0, 1);
const clock = new VirtualClock({ nowMs: start });

function authenticator(more: Partial<JwtAuthenticatorSettings> = {}): JwtAuthenticator {
  const settings = {
    tokenKeys: [],
    tokenHmacSecret: secret,
    tokenIssuer: '',
    tokenAudience: '',
    tokenLeewayMs: 0,
    tokenLifetimeMaxMs: 0,
    tokenIssuers: [],
    jwksRefreshIntervalMs: 600_000,
    jwksStaleMaxMs: 86_400_000,
    allowAnonymous: false,
    tenantClaim: '',
    ...more,
  };
  return new JwtAuthenticator(settings, clock, nullLog);
}

function attempt(token: string): ConnectAttempt {
  return { token, name: '', version: '', remoteAddress: '127.0.0.1' };
}

function sign(claims: Record<string, unknown>): Promise<string> {
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).sign(createSecretKey(Buffer.from(secret)));
}

const ann: Identity = { user: 'ann', channels: [], capabilities: [] };

function disconnects(reason: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof Disconnect && error.kind.code === 3500 && reason.test(error.message);
}
function rejects(code: number, reason: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof Rejection && error.kind.code === code && reason.test(error.message);
}

test('S7: a connection token says user, expiry, info, channels and capabilities', async () => {
  const exp = start / 1000 + 60;
  const caps = [{ channels: ['chat:*'], allow: ['sub', 'pub', 'hst', 'prs'] }];
  const iat = start / 1000 - 5;
  const token = await sign({ sub: 'ann', exp, iat, jti: 'one', info: { name: 'Änn' }, channels: ['news'], caps });
  const { info, ...identity } = await authenticator().connect(attempt(token));
  assert.deepEqual(identity, {
    user: 'ann',
    expiresAtMs: exp * 1000,
    issuedAtMs: iat * 1000,
    tokenId: 'one',
    channels: ['news'],
    capabilities: [{ channels: ['chat:*'], allow: ['subscribe', 'publish', 'history', 'presence'] }],
  });
  assert.deepEqual(JSON.parse(Buffer.from(info!).toString()), { name: 'Änn' });
});

test('a token without sub is for an anonymous user', async () => {
  assert.equal((await authenticator().connect(attempt(await sign({})))).user, '');
});

test('S5: without a token one is let in only where anonymous users are', async () => {
  await assert.rejects(authenticator().connect(attempt('')), disconnects(/no token/));
  assert.equal((await authenticator({ allowAnonymous: true }).connect(attempt(''))).user, '');
  await assert.rejects(authenticator({ allowAnonymous: true }).connect(attempt('bogus')), disconnects(/not a JWT/));
});

test('S8: an expired token asks for another; anything else gives up', async () => {
  const expired = await sign({ sub: 'ann', exp: start / 1000 - 1 });
  await assert.rejects(authenticator().connect(attempt(expired)), rejects(109, /expired/));
  await assert.rejects(authenticator().refresh(expired, ann), rejects(109, /expired/));
  await assert.rejects(authenticator().subscription(expired, ann, 'chat:a'), rejects(109, /expired/));
  await assert.rejects(authenticator().refresh('bogus', ann), disconnects(/not a JWT/));
  await assert.rejects(authenticator().subscription('bogus', ann, 'chat:a'), rejects(103, /not a JWT/));
});

test('S8: a refresh with the token of another user ends the connection', async () => {
  assert.equal((await authenticator().refresh(await sign({ sub: 'ann' }), ann)).user, 'ann');
  await assert.rejects(authenticator().refresh(await sign({ sub: 'bob' }), ann), disconnects(/another user/));
  await assert.rejects(authenticator().refresh(await sign({}), ann), disconnects(/another user/));
});

test('S10: a subscription token opens its channel to its user, and nothing else', async () => {
  const token = await sign({ sub: 'ann', channel: 'chat:a', exp: start / 1000 + 5, info: 1 });
  const grant = await authenticator().subscription(token, ann, 'chat:a');
  assert.equal(grant.expiresAtMs, start + 5_000);
  assert.equal(Buffer.from(grant.info!).toString(), '1');
  await assert.rejects(authenticator().subscription(token, ann, 'chat:b'), rejects(103, /another channel/));
  await assert.rejects(
    authenticator().subscription(token, { ...ann, user: 'bob' }, 'chat:a'),
    rejects(103, /another user/),
  );
  await assert.rejects(
    authenticator().subscription(token, { ...ann, user: '' }, 'chat:a'),
    rejects(103, /another user/),
  );
});

test('S10: neither kind of token is taken for the other', async () => {
  const connection = await sign({ sub: 'ann' });
  const subscription = await sign({ sub: 'ann', channel: 'chat:a' });
  await assert.rejects(authenticator().connect(attempt(subscription)), disconnects(/subscription token/));
  await assert.rejects(authenticator().refresh(subscription, ann), disconnects(/subscription token/));
  await assert.rejects(authenticator().subscription(connection, ann, 'chat:a'), rejects(103, /connection token/));
});

test('S11: where there are tenants every token names one, and none is taken for that of another', async () => {
  const tenants = authenticator({ tenantClaim: 'org' });
  const acme = await tenants.connect(attempt(await sign({ sub: 'ann', org: 'acme' })));
  assert.equal(acme.tenant, 'acme');
  assert.equal((await tenants.connect(attempt(await sign({ sub: 'op', org: '' })))).tenant, undefined);
  for (const org of [undefined, null, 7, ['acme'], 'a*b', 'a:b', 'a b', 'x'.repeat(65), 'é', '\u0000']) {
    const token = await sign({ sub: 'ann', ...(org === undefined ? {} : { org }) });
    await assert.rejects(tenants.connect(attempt(token)), disconnects(/claim org must name the tenant/));
  }
  const rival = await sign({ sub: 'ann', org: 'rival' });
  await assert.rejects(tenants.refresh(rival, acme), disconnects(/another user/));
  const opens = await sign({ sub: 'ann', org: 'rival', channel: 'chat:a' });
  await assert.rejects(tenants.subscription(opens, acme, 'chat:a'), rejects(103, /another tenant/));
  const nobodys = await sign({ sub: 'ann', org: '', channel: 'chat:a' });
  await assert.rejects(tenants.subscription(nobodys, acme, 'chat:a'), rejects(103, /another tenant/));
  await tenants.subscription(await sign({ sub: 'ann', org: 'acme', channel: 'chat:a' }), acme, 'chat:a');
});

test('CON-6: a token without jti is told by its own hash, which is never that of another', async () => {
  const ids = await Promise.all(
    [{ sub: 'ann' }, { sub: 'ann' }, { sub: 'ann', iat: 1 }, { sub: 'ann', jti: 'x' }].map(
      async (claims) => (await authenticator().connect(attempt(await sign(claims)))).tokenId,
    ),
  );
  assert.equal(ids[0], ids[1]);
  assert.equal(new Set(ids).size, 3);
});

test('CON-6: where lifetimes are bounded, a token that lives longer or for ever is refused', async () => {
  const bounded = authenticator({ tokenLifetimeMaxMs: 60_000 });
  const now = start / 1000;
  await bounded.connect(attempt(await sign({ exp: now + 30, iat: now - 30 })));
  await bounded.connect(attempt(await sign({ exp: now + 60 })));
  await assert.rejects(bounded.connect(attempt(await sign({ exp: now + 61 }))), disconnects(/lives too long/));
  await assert.rejects(bounded.connect(attempt(await sign({ exp: now + 31, iat: now - 30 }))), disconnects(/too long/));
  await assert.rejects(bounded.connect(attempt(await sign({ iat: now }))), disconnects(/no end/));
  await assert.rejects(bounded.subscription(await sign({ channel: 'a' }), ann, 'a'), rejects(103, /no end/));
});

const badClaims: [string, Record<string, unknown>, RegExp][] = [
  ['user is a number', { sub: 7 }, /sub|malformed/],
  ['user has a NUL', { sub: 'a\u0000' }, /control character/],
  ['user is half a surrogate pair', { sub: '\ud800' }, /surrogate/],
  ['user is too long', { sub: 'x'.repeat(userBytesMax + 1) }, /longer/],
  ['channels is text', { channels: 'chat:a' }, /channels must be a list/],
  ['channels hold an object', { channels: [{}] }, /non-empty strings/],
  ['caps is an object', { caps: {} }, /caps must be a list/],
  ['a cap is null', { caps: [null] }, /channels, allow/],
  ['a cap without channels', { caps: [{ allow: ['publish'] }] }, /caps.channels/],
  ['a cap without verbs', { caps: [{ channels: ['*'] }] }, /caps.allow/],
  ['an unknown verb', { caps: [{ channels: ['*'], allow: ['constructor'] }] }, /may hold/],
  ['jti is empty', { jti: '' }, /jti|malformed/],
  ['jti is long', { jti: 'x'.repeat(257) }, /jti/],
  ['channel is null', { channel: null }, /subscription token/],
  ['nbf in the future', { nbf: start / 1000 + 100 }, /nbf/],
];
for (const [title, claims, reason] of badClaims) {
  test(`S7: refused although signed: ${title}`, async () => {
    await assert.rejects(authenticator().connect(attempt(await sign({ sub: 'ann', ...claims }))), disconnects(reason));
  });
}

test('S9: what nobody may have issued is told apart from what was issued for something else, and from what expired', async () => {
  const causes = async (token: string): Promise<unknown[]> => {
    const asked = [
      authenticator().connect(attempt(token)),
      authenticator().refresh(token, ann),
      authenticator().subscription(token, ann, 'news'),
    ];
    return (await Promise.allSettled(asked)).map((each) => each.status === 'rejected' && (each.reason as Error).cause);
  };
  const forged = await mintToken({ user: 'ann' }, { alg: 'HS256', secret: `${secret}, but another` });
  for (const token of [forged, 'guess']) {
    for (const cause of await causes(token)) assert.ok(cause instanceof BadToken && !cause.expired);
  }
  const elsewhere = await sign({ sub: 'ann', channel: 'chat' });
  const expired = await sign({ sub: 'ann', channel: 'news', exp: start / 1000 - 1 });
  for (const token of [elsewhere, expired]) {
    for (const cause of await causes(token)) assert.ok(!(cause instanceof BadToken));
  }
});

test('what mintToken makes is what the authenticator reads', async () => {
  const key = { alg: 'HS512', kid: 'k1', secret: secret.repeat(2) } as const;
  const keys = authenticator({ tokenKeys: [key], tokenHmacSecret: '', tokenIssuer: 'me', tokenAudience: 'tutti' });
  const capabilities = [{ channels: ['a'], allow: ['history' as const] }];
  const draft = {
    user: 'ann',
    expiresAtMs: start + 9_000,
    capabilities,
    channels: ['b'],
    issuer: 'me',
    audience: 'tutti',
  };
  const identity = await keys.connect(attempt(await mintToken(draft, key)));
  const { tokenId, ...rest } = identity;
  assert.deepEqual(rest, { user: 'ann', expiresAtMs: start + 9_000, channels: ['b'], capabilities });
  assert.match(tokenId ?? '', /^sha256:/);
  const opened = await keys.subscription(await mintToken({ ...draft, channel: 'chat:a' }, key), identity, 'chat:a');
  assert.equal(opened.expiresAtMs, start + 9_000);
});

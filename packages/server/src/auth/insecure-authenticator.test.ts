import { SeededRandom, VirtualClock } from '@tutti/testkit';
import { Rejection } from '@tutti/protocol';
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ConnectAttempt } from './authenticator.ts';
import { InsecureAuthenticator } from './insecure-authenticator.ts';
import { mintToken } from './mint-token.ts';

const secret = 'a-secret-of-32-bytes-or-more-for-tests';
const start = Date.UTC(2026, 0, 1);

function setUp(): { authenticator: InsecureAuthenticator; warnings: string[] } {
  const warnings: string[] = [];
  const silent = (): void => undefined;
  const log = { debug: silent, info: silent, warn: (_: unknown, text: string) => warnings.push(text), error: silent };
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
    allowAnonymous: true,
    tenantClaim: '',
  };
  const seams = { clock: new VirtualClock({ nowMs: start }), random: new SeededRandom(1), log };
  return { authenticator: new InsecureAuthenticator(settings, seams), warnings };
}

function attempt(token: string, data?: string): ConnectAttempt {
  const bytes = data === undefined ? {} : { data: Buffer.from(data) };
  return { token, name: '', version: '', remoteAddress: '127.0.0.1', ...bytes };
}

test('S5: insecure mode says that it is', () => {
  assert.match(setUp().warnings[0] ?? '', /insecure/);
});

test('insecure: a token of the development key counts, with its rights', async () => {
  const { authenticator } = setUp();
  const capabilities = [{ channels: ['a'], allow: ['publish' as const] }];
  const token = await mintToken({ user: 'ann', capabilities }, { alg: 'HS256', secret });
  const identity = await authenticator.connect(attempt(token, '{"user":"bob"}'));
  assert.equal(identity.user, 'ann');
  assert.deepEqual(identity.capabilities, capabilities);
});

test('insecure: an expired token is refused, so that refresh can be tried', async () => {
  const token = await mintToken({ user: 'ann', expiresAtMs: start - 1_000 }, { alg: 'HS256', secret });
  await assert.rejects(
    setUp().authenticator.connect(attempt(token)),
    (error) => error instanceof Rejection && error.kind.code === 109,
  );
});

test('insecure: any other token is ignored, aloud', async () => {
  const { authenticator, warnings } = setUp();
  assert.equal((await authenticator.connect(attempt('bogus', '{"user":"bob"}'))).user, 'bob');
  assert.match(warnings[1] ?? '', /ignored a token/);
});

test('insecure: without a name one is a guest', async () => {
  const { authenticator } = setUp();
  for (const data of [
    undefined,
    '',
    'not json',
    '[]',
    'null',
    '{}',
    '{"user":7}',
    '{"user":""}',
    '{"user":"a\\u0000"}',
    `{"user":"${'x'.repeat(300)}"}`,
  ]) {
    assert.match((await authenticator.connect(attempt('', data))).user, /^guest-[0-9a-z]{4}$/, data);
  }
});

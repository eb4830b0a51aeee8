import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Disconnect, disconnects, type DisconnectKind } from '@tutti/protocol';
import { VirtualClock } from '@tutti/testkit';
import { judgeKeys } from '../api/keys.ts';
import { BadToken, type Authenticator, type ConnectAttempt } from './authenticator.ts';
import { OperatorAuthenticator } from './operator-authenticator.ts';

const keyOf = (name: string): string => `the-key-that-is-called-${name}`;
const keys = [
  { name: 'console', key: keyOf('console'), allow: ['console'] },
  { name: 'all', key: keyOf('all'), allow: ['*'] },
  { name: 'publisher', key: keyOf('publisher'), allow: ['publish', 'info'] },
  { name: 'shop', key: keyOf('shop'), allow: ['*'], channels: ['shop:*'] },
  { name: 'tenant', key: keyOf('tenant'), allow: ['*', 'console'], tenant: 'acme' },
];
const clock = new VirtualClock();
const users: Authenticator = {
  connect: ({ token }) => Promise.resolve({ user: `user of ${token}`, channels: [], capabilities: [] }),
  refresh: (_, identity) => Promise.resolve(identity),
  subscription: () => Promise.resolve({}),
};
const operators = new OperatorAuthenticator(users, judgeKeys(keys, 'console'), clock);

function attempt(token: string): ConnectAttempt {
  return { token, name: '', version: '', remoteAddress: '127.0.0.1' };
}

async function refusalOf(token: string): Promise<{ kind: DisconnectKind; isGuess: boolean; message: string }> {
  try {
    await operators.connect(attempt(token));
  } catch (error) {
    assert.ok(error instanceof Disconnect);
    return { kind: error.kind, isGuess: error.cause instanceof BadToken, message: error.message };
  }
  return assert.fail('it was let in');
}

test('S27: a key with the right opens the figures of the nodes, and nothing else', async () => {
  for (const name of ['console', 'all']) {
    assert.deepEqual(await operators.connect(attempt(`apikey:${keyOf(name)}`)), {
      ...{ user: '', issuedAtMs: clock.now(), channels: [] },
      capabilities: [{ channels: ['tutti:stats'], allow: ['subscribe', 'history'] }],
    });
  }
  assert.equal((await operators.connect(attempt('a.b.c'))).user, 'user of a.b.c', 'tokens are for users');
});

test('S27: keys without the right, of some channels or of one tenant open nothing', async () => {
  for (const name of ['publisher', 'shop', 'tenant']) {
    const { kind, isGuess } = await refusalOf(`apikey:${keyOf(name)}`);
    assert.deepEqual([kind, isGuess], [disconnects.permissionDenied, false], name);
  }
});

test('S9: a key that is none counts as a guess, and is not repeated', async () => {
  for (const key of ['', 'guess', `${keyOf('console')} `, keyOf('console').toUpperCase()]) {
    const { kind, isGuess, message } = await refusalOf(`apikey:${key}`);
    assert.deepEqual([kind, isGuess, message], [disconnects.invalidToken, true, 'the API key is not known'], key);
  }
});

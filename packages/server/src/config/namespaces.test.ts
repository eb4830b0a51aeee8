import { Rejection } from '@tutti/protocol';
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Namespace } from './namespace.ts';
import { Namespaces } from './namespaces.ts';

function namespace(name: string): Namespace {
  return {
    name,
    historySize: 0,
    historyTtlMs: 0,
    durable: false,
    presence: false,
    subscribeHook: false,
    publishHook: false,
    joinLeave: false,
    joinLeaveBy: 'connection',
    presenceGraceMs: 0,
    payload: 'json',
    delivery: 'all',
    overflow: 'auto',
    allowSubscribe: 'token',
    allowPublish: 'nobody',
    allowHistory: 'nobody',
    allowPresence: 'nobody',
  };
}

function namespaces(...names: string[]): Namespaces {
  return new Namespaces({ namespaces: new Map(names.map((name) => [name, namespace(name)])), channelLengthMax: 255 });
}

test('a channel belongs to the namespace before its first colon', () => {
  const all = namespaces('chat', 'default');
  assert.equal(all.resolve('chat:a:b').name, 'chat');
  assert.equal(all.resolve('lobby').name, 'default');
});

test('S10: a channel of no configured namespace is unknown, whatever names objects inherit', () => {
  const all = namespaces('chat');
  for (const channel of ['lobby', 'chats:a', '__proto__:a', 'constructor:a', 'tostring:a', 'has:a', 'chat-:a']) {
    assert.throws(
      () => all.resolve(channel),
      (error) => error instanceof Rejection && error.kind.code === 102 && error.message.includes('no namespace'),
    );
  }
});

test('S10: a name that no channel can have is a bad request before it is unknown', () => {
  assert.throws(
    () => namespaces('chat').resolve('chat:\u0000'),
    (error) => error instanceof Rejection && error.kind.code === 107,
  );
});

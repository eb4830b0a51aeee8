import { SeededRandom } from '@tutti/testkit';
import { Rejection } from '@tutti/protocol';
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Allowance, Namespace, SubscribeAllowance } from '../config/namespace.ts';
import type { Capability, Verb } from './authenticator.ts';
import type { Question } from './authorizer.ts';
import { NamespaceAuthorizer } from './namespace-authorizer.ts';

const verbs: readonly Verb[] = ['subscribe', 'publish', 'history', 'presence'];
const subscribeAllowances: readonly SubscribeAllowance[] = ['nobody', 'token', 'user', 'anyone'];
const allowances: readonly Allowance[] = ['nobody', 'subscriber', 'user', 'anyone'];
const authorizer = new NamespaceAuthorizer({ personalNamespace: 'personal' });

/** Everything denied, every feature on: a test opens exactly what it is about. */
function closed(name: string, open: Partial<Namespace> = {}): Namespace {
  return {
    name,
    historySize: 10,
    historyTtlMs: 1_000,
    durable: false,
    presence: true,
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
    ...open,
  };
}

function withAllowance(verb: Verb, allowance: string): Namespace {
  const option = {
    subscribe: 'allowSubscribe',
    publish: 'allowPublish',
    history: 'allowHistory',
    presence: 'allowPresence',
  }[verb];
  return closed('chat', { [option]: allowance });
}

function question(more: Partial<Question> & { user?: string; capabilities?: Capability[] }): Question {
  const { user = 'ann', capabilities = [], ...rest } = more;
  const identity = { user, channels: [], capabilities };
  return { verb: 'subscribe', identity, channel: 'chat:a', namespace: closed('chat'), subscribed: false, ...rest };
}

/** 0 for allowed, else the code. */
function answer(asked: Question): number {
  try {
    authorizer.authorize(asked);
    return 0;
  } catch (error) {
    assert.ok(error instanceof Rejection);
    return error.kind.code;
  }
}

interface Kind {
  readonly title: string;
  readonly more: Parameters<typeof question>[0];
}
const kinds: readonly Kind[] = [
  { title: 'anonymous', more: { user: '' } },
  { title: 'anonymous subscriber', more: { user: '', subscribed: true } },
  { title: 'user', more: {} },
  { title: 'subscriber', more: { subscribed: true } },
  { title: 'anonymous with a subscription token', more: { user: '', grant: {} } },
  { title: 'user with a subscription token', more: { grant: {} } },
];

// Who is let in, in the order of `kinds`; written out by hand, not computed.
const subscribeTable: Record<SubscribeAllowance, string> = {
  nobody: '......',
  token: '....yy',
  user: '..yyyy',
  anyone: 'yyyyyy',
};
const table: Record<Allowance, string> = {
  nobody: '......',
  subscriber: '.y.y..',
  user: '..yy.y',
  anyone: 'yyyyyy',
};

for (const verb of verbs) {
  for (const allowance of verb === 'subscribe' ? subscribeAllowances : allowances) {
    test(`S10: ${verb} with allowance ${allowance}`, () => {
      const row =
        verb === 'subscribe' ? subscribeTable[allowance as SubscribeAllowance] : table[allowance as Allowance];
      for (const [index, kind] of kinds.entries()) {
        const asked = question({ verb, namespace: withAllowance(verb, allowance), ...kind.more });
        assert.equal(answer(asked), row[index] === 'y' ? 0 : 103, kind.title);
      }
    });
  }
}

const capabilityRows: [pattern: string, channel: string, granted: boolean][] = [
  ['chat:a', 'chat:a', true],
  ['chat:a', 'chat:ab', false],
  ['chat:a', 'chat:A', false],
  ['chat:a*', 'chat:ab', true],
  ['chat:a*', 'chat:a', true],
  ['chat:*', 'chat:a:b', true],
  ['chat:*', 'chats:a', false],
  ['c*', 'chat:a', true],
  ['*', 'chat:a', true],
  ['*t:a', 'chat:a', false],
  ['ch*:a', 'chat:a', false],
  ['', 'chat:a', false],
  ['**', 'chat:a', false],
  ['tutti:stats', 'tutti:stats', true],
  ['tutti:*', 'tutti:stats', false],
  ['t*', 'tutti:stats', false],
  ['*', 'tutti:stats', true],
  ['personal:bob', 'personal:bob', true],
  ['personal:*', 'personal:bob', false],
  ['p*', 'personal:bob', false],
  ['*', 'personal:bob', true],
  ['personal:*', 'personal:ann', true],
  ['personal:*', 'personal:ann:x', false],
  ['personals:*', 'personals:bob', true],
];

for (const [pattern, channel, granted] of capabilityRows) {
  test(`S10: capability ${JSON.stringify(pattern)} ${granted ? 'opens' : 'does not open'} ${channel}`, () => {
    const namespace = closed(channel.split(':')[0] ?? '');
    for (const verb of verbs) {
      const capabilities: Capability[] = [{ channels: [pattern], allow: [verb] }];
      assert.equal(answer(question({ verb, channel, namespace, capabilities })), granted ? 0 : 103, verb);
    }
  });
}

test('S10: a capability opens its own verb and no other', () => {
  for (const held of verbs) {
    for (const verb of verbs) {
      const capabilities: Capability[] = [{ channels: ['*'], allow: [held] }];
      assert.equal(answer(question({ verb, capabilities })), held === verb ? 0 : 103, `${held} for ${verb}`);
    }
  }
});

test('S10: a subscription token opens nothing but the subscription', () => {
  for (const verb of ['publish', 'history', 'presence'] as const)
    assert.equal(answer(question({ verb, grant: {} })), 103);
});

test('S10: allowSubscribe nobody is opened by no token and no capability', () => {
  const namespace = closed('chat', { allowSubscribe: 'nobody' });
  const capabilities: Capability[] = [{ channels: ['*', 'chat:a'], allow: [...verbs] }];
  assert.equal(answer(question({ namespace, capabilities, grant: {} })), 103);
});

test('S10: the personal channel of another is not read on the strength of the namespace', () => {
  const namespace = closed('personal', {
    allowSubscribe: 'anyone',
    allowPublish: 'anyone',
    allowHistory: 'anyone',
    allowPresence: 'anyone',
  });
  for (const channel of ['personal:bob', 'personal:ann:x', 'personal:annx']) {
    for (const verb of ['subscribe', 'history', 'presence'] as const)
      assert.equal(answer(question({ verb, channel, namespace })), 103);
    assert.equal(answer(question({ verb: 'publish', channel, namespace })), 0, 'an inbox may take mail');
  }
  for (const verb of verbs) assert.equal(answer(question({ verb, channel: 'personal:ann', namespace })), 0);
  assert.equal(answer(question({ user: '', channel: 'personal:x', namespace })), 103, 'an anonymous user has none');
});

test('what the namespace does not have is not available, whoever asks', () => {
  const capabilities: Capability[] = [{ channels: ['*'], allow: [...verbs] }];
  const bare = closed('chat', { historySize: 0, presence: false });
  assert.equal(answer(question({ verb: 'history', namespace: bare, capabilities })), 108);
  assert.equal(answer(question({ verb: 'presence', namespace: bare, capabilities })), 108);
  assert.equal(answer(question({ verb: 'publish', namespace: bare, capabilities })), 0);
});

test('a denial names the option that opens, and not its value', () => {
  assert.throws(() => {
    authorizer.authorize(question({ verb: 'publish' }));
  }, /permission denied: publish \(option allowPublish of namespace "chat"\)/);
});

/** Written from the documentation, in another shape than the implementation: reasons to allow, any of which is enough. */
function oracle({ verb, identity, channel, namespace, subscribed, grant }: Question): boolean {
  const isMine = channel === `personal:${identity.user}` && identity.user !== '';
  const isOthers = namespace.name === 'personal' && !isMine;
  const reasons: boolean[] = [];
  for (const { channels, allow } of identity.capabilities) {
    for (const pattern of channels) {
      const head = pattern.endsWith('*') ? pattern.slice(0, pattern.length - 1) : undefined;
      const prefixCounts = head !== undefined && channel.indexOf(head) === 0 && namespace.name !== 'tutti' && !isOthers;
      reasons.push(allow.includes(verb) && (pattern === channel || pattern === '*' || prefixCounts));
    }
  }
  const option = {
    subscribe: namespace.allowSubscribe,
    publish: namespace.allowPublish,
    history: namespace.allowHistory,
    presence: namespace.allowPresence,
  }[verb];
  const mayUseOption = verb === 'publish' || !isOthers;
  reasons.push(mayUseOption && option === 'anyone');
  reasons.push(mayUseOption && option === 'user' && identity.user.length > 0);
  reasons.push(mayUseOption && option === 'subscriber' && subscribed);
  reasons.push(verb === 'subscribe' && grant !== undefined);
  return reasons.some(Boolean) && !(verb === 'subscribe' && namespace.allowSubscribe === 'nobody');
}

test('S10: 200,000 random questions are answered as an independent reading of the rules answers them', () => {
  const random = new SeededRandom(20_260_101);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random.next() * from.length)]!;
  const channels = ['chat:a', 'chat:ab', 'chat:b', 'tutti:stats', 'personal:ann', 'personal:bob', 'personal:', 'lobby'];
  const patterns = [
    ...channels,
    '*',
    'chat:*',
    'chat:a*',
    'c*',
    'tutti:*',
    't*',
    'personal:*',
    'personal:a*',
    'p*',
    'l*',
    '',
  ];
  const seen = { allowed: 0, denied: 0 };
  for (let round = 0; round < 200_000; round += 1) {
    const channel = pick(channels);
    const capability = (): Capability => ({
      channels: [pick(patterns), pick(patterns)],
      allow: [pick(verbs), pick(verbs)],
    });
    const namespace = closed(channel.includes(':') ? channel.split(':')[0]! : 'default', {
      allowSubscribe: pick(subscribeAllowances),
      allowPublish: pick(allowances),
      allowHistory: pick(allowances),
      allowPresence: pick(allowances),
    });
    const asked = question({
      verb: pick(verbs),
      user: pick(['', 'ann', 'bob']),
      channel,
      namespace,
      subscribed: random.next() < 0.5,
      capabilities: random.next() < 0.4 ? [capability()] : [],
      ...(random.next() < 0.3 ? { grant: {} } : {}),
    });
    const expected = oracle(asked);
    seen[expected ? 'allowed' : 'denied'] += 1;
    assert.equal(answer(asked), expected ? 0 : 103, `round ${round}: ${JSON.stringify(asked)}`);
  }
  assert.ok(seen.allowed > 20_000 && seen.denied > 20_000, 'the questions cover both answers');
});

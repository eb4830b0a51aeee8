import { Rejection } from '@tutti/protocol';
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { canonicalChannel, channelProblem, namespaceOf } from './channel-name.ts';

const good = [
  'lobby',
  'chat:general',
  'chat:a:b:c',
  'chat:München',
  'chat:東京',
  'chat:👩‍👩‍👧',
  'chat:Two words',
  'chat:a/../b',
  'chat:a%2fb',
  'chat:A',
  'a-b_9:x',
  '__proto__:x',
  'chat:dot.',
  `chat:${'x'.repeat(250)}`,
  'constructor',
];

const bad: [string, string, RegExp][] = [
  ['empty', '', /empty/],
  ['NUL', 'chat:a\u0000b', /control/],
  ['line break', 'chat:a\nb', /control/],
  ['carriage return', 'chat:\r\nX: y', /control/],
  ['delete', 'chat:\u007f', /control/],
  ['C1 control', 'chat:\u0085x', /control/],
  ['line separator', 'chat:a\u2028b', /control/],
  ['NFD', 'chat:Mu\u0308nchen', /normal form C/],
  ['compatibility singleton', 'chat:\u212b', /normal form C/],
  ['lone high surrogate', 'chat:\ud800', /surrogate/],
  ['lone low surrogate', 'chat:\udc00x', /surrogate/],
  ['leading space', ' chat:a', /white space/],
  ['trailing space', 'chat:a ', /white space/],
  ['trailing no-break space', 'chat:a\u00a0', /white space/],
  ['only spaces', '  ', /white space/],
  ['empty namespace', ':a', /namespace/],
  ['empty tail', 'chat:', /empty part/],
  ['empty middle', 'chat:a::b', /empty part/],
  ['empty end', 'chat:a:', /empty part/],
  ['only a colon', ':', /namespace/],
  ['capital in namespace', 'Chat:a', /namespace/],
  ['look-alike namespace', 'ch\u0430t:a', /namespace/],
  ['slash in namespace', '/meta/subscribe:x', /namespace/],
  ['namespace too long', `${'n'.repeat(65)}:a`, /namespace/],
  ['wildcard', 'chat:*', /\*/],
  ['too long', `chat:${'x'.repeat(251)}`, /255 bytes/],
  ['too long in bytes only', `chat:${'é'.repeat(126)}`, /255 bytes/],
];

test('S10: canonical names are taken as they are', () => {
  for (const name of good) assert.equal(canonicalChannel(name, 255), name);
});

for (const [title, name, reason] of bad) {
  test(`S10: refused as a channel name: ${title}`, () => {
    assert.match(channelProblem(name, 255) ?? 'accepted', reason);
    assert.throws(
      () => canonicalChannel(name, 255),
      (error) => error instanceof Rejection && error.kind.code === 107,
    );
  });
}

test('S10: what is no string is refused', () => {
  for (const name of [undefined, null, 7, ['chat:a'], { toString: () => 'chat:a' }]) {
    assert.throws(
      () => canonicalChannel(name, 255),
      (error) => error instanceof Rejection && error.kind.code === 107,
    );
  }
});

test('S10: every single character is either refused or survives UTF-8 and normalisation unchanged', () => {
  for (let code = 0; code <= 0xffff; code += 1) {
    const name = `chat:x${String.fromCharCode(code)}y`;
    if (channelProblem(name, 255) !== undefined) continue;
    assert.equal(Buffer.from(name).toString(), name, code.toString(16));
    assert.equal(name.normalize('NFC'), name, code.toString(16));
    assert.ok(code > 0x1f && code !== 0x7f, code.toString(16));
  }
});

test('the namespace is what stands before the first colon, else default', () => {
  assert.equal(namespaceOf('lobby'), 'default');
  assert.equal(namespaceOf('chat:a:b'), 'chat');
});

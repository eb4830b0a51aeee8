import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeLive, encodePassing } from './live-message.ts';

const data = Buffer.from('{"a":1}');

/** As the publish script writes it. */
function appended(envelope = '', line = `7 8 1700000000000 life.0123456789ab me 5`): Buffer {
  return Buffer.concat([Buffer.from(`${line} ${Buffer.byteLength(envelope)}\n${envelope}`), data]);
}

test('an appended publication has its position and the one before it', () => {
  const { publication, ...rest } = decodeLive(appended('{"key":"k","tags":{"ü":"x"}}')) ?? {};
  assert.deepEqual(rest, { epoch: 'life.0123456789ab', previousOffset: 7, origin: 'me', ticket: 5 });
  assert.deepEqual(
    { ...publication, data: Buffer.from(publication?.data ?? []) },
    {
      data,
      offset: 8,
      time: 1_700_000_000_000,
      tags: { ü: 'x' },
      key: 'k',
    },
  );
});

test('one that is kept nowhere has none', () => {
  const draft = { data, info: { user: 'ann', client: 'c', conn_info: new Uint8Array([0, 255]) }, final: true };
  const { publication, epoch, previousOffset } = decodeLive(encodePassing(draft, 1.5, 'me', 3)) ?? {};
  assert.deepEqual([epoch, previousOffset], ['', 0]);
  assert.deepEqual({ ...publication, data: Buffer.from(publication?.data ?? []) }, { ...draft, time: 1 });
});

const wrong: [what: string, message: Buffer][] = [
  ['nothing', Buffer.alloc(0)],
  ['no line', Buffer.from('x'.repeat(1_000))],
  ['a line without an end', Buffer.from('7 8 1 life.g me 5 0')],
  ['a line of another shape', appended('', '7 8 1 life.g me')],
  ['a negative offset', appended('', '7 -8 1 life.g me 5')],
  ['an offset beyond what numbers hold', appended('', `7 ${'9'.repeat(17)} 1 life.g me 5`)],
  ['an envelope longer than the message', Buffer.from('7 8 1 life.g me 5 99\n{}')],
  ['an envelope that is no JSON', appended('{{')],
  ...['null', '[]', '1', '{"info":1}', '{"info":{"user":1,"client":"c"}}', '{"tags":[]}', '{"tags":{"a":1}}'].map(
    (envelope): [string, Buffer] => [`the envelope ${envelope}`, appended(envelope)],
  ),
  ...['{"key":1}', '{"final":1}', '{"time":"now"}'].map((envelope): [string, Buffer] => [
    `the envelope ${envelope}`,
    appended(envelope),
  ]),
];

for (const [what, message] of wrong) {
  test(`S25: ${what} is no publication`, () => assert.equal(decodeLive(message), undefined));
}

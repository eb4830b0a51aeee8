import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadFrame, frameBounds } from '../codec.ts';
import type { Command } from '../messages.ts';
import { jsonCodec, validateJson } from './index.ts';

const encoder = new TextEncoder();
const decode = (text: string): Command[] => structuredClone(jsonCodec.decodeCommands(encoder.encode(text)));
const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();

/** The payload is left out, its command marked with the reason; the one beside it is none the worse. */
function flags(payload: string, reason: RegExp): void {
  const frame = `{"id":1,"publish":{"channel":"a","data":${payload},"key":"k"}}\n{"id":2,"rpc":{"data":[0]}}`;
  const [flawed, innocent] = jsonCodec.decodeCommands(encoder.encode(frame));
  assert.match(flawed?.flaw ?? '', reason, payload);
  assert.deepEqual([flawed?.id, flawed?.publish], [1, { channel: 'a', key: 'k' }]);
  assert.deepEqual([innocent?.id, innocent?.flaw, text(innocent?.rpc?.data)], [2, undefined, '[0]']);
  assert.throws(() => validateJson(encoder.encode(payload)), reason);
  assert.throws(() => jsonCodec.decodeReplies(encoder.encode(`{"id":1,"rpc":{"data":${payload}}}`)), reason);
}

/** Fails with BadFrame, and for the reason expected. */
function refuses(frame: string | Uint8Array, reason: RegExp): void {
  const bytes = typeof frame === 'string' ? encoder.encode(frame) : frame;
  assert.throws(
    () => jsonCodec.decodeCommands(bytes),
    (error: unknown) => {
      assert.ok(error instanceof BadFrame, `${text(bytes)}: ${String(error)}`);
      assert.match(error.message, reason, text(bytes));
      return true;
    },
  );
}

test('commands stand on lines of their own; white space around and inside them is free', () => {
  const expected = [{ id: 1, ping: {} }, { id: 2, presence: { channel: 'c' } }, {}];
  assert.deepEqual(decode('{"id":1,"ping":{}}\n{"id":2,"presence":{"channel":"c"}}\n{}'), expected);
  assert.deepEqual(
    decode('\n \t{ "id" : 1 ,\r\n"ping" : { } } \r\n\n { "id":2, "presence" : {"channel":"c"} }\n{ }\n\n'),
    expected,
  );
});

test('S13: frames without a command, or with two on a line, are refused', () => {
  for (const frame of ['', '\n', ' \r\n\t']) refuses(frame, /empty frame/);
  refuses('{}{}', /expected a line break/);
  refuses('{} {}', /expected a line break/);
  refuses('{}\r{}', /expected a line break/);
  for (const frame of ['[]', '1', 'null', '"x"', '[{}]', '\ufeff{}', 'x']) refuses(frame, /expected \{/);
  for (const frame of ['{', '{"id":1', '{"id":1,', '{"id"', '{"id":', '{"i', '{}\n{']) refuses(frame, /json: /);
  for (const frame of ['{,}', '{"id":1,}', '{"id" 1}', '{id:1}', "{'id':1}", '{"id":1 "ping":{}}'])
    refuses(frame, /json: /);
});

test('payloads are copied as they stand, unparsed', () => {
  for (const payload of [
    '{"b":1,"a":[1.0,2e5,-0],"b":2}',
    '"\\u0041\\/\\"\\ud83c\\udfba"',
    '"é🎺\u2028\u007f"',
    '0',
    '-0.10E-5',
    'true',
    'false',
    '[]',
    '{}',
    '[ [ ] , { } ]',
    '123456789012345678901234567890',
  ]) {
    const [command] = jsonCodec.decodeCommands(encoder.encode(`{"id":1,"rpc":{"data":  ${payload}  }}`));
    assert.equal(text(command?.rpc?.data), payload);
  }
});

test('line breaks between the tokens of a payload become spaces', () => {
  const [command] = jsonCodec.decodeCommands(encoder.encode('{"send":{"data":{\r\n"a":\n[1,\r2]}}}\n{}'));
  assert.equal(text(command?.send?.data), '{  "a": [1, 2]}');
  const reply = jsonCodec.encodeReply({ push: { channel: 'c', pub: { data: encoder.encode('{\r\n"a":"\\n"\n}') } } });
  assert.equal(text(reply), '{"push":{"channel":"c","pub":{"data":{  "a":"\\n" }}}}');
  for (const lineBreak of ['\n', '\r']) {
    const data = encoder.encode(`[1,${lineBreak}2]`);
    assert.equal(text(jsonCodec.encodeReply({ id: 1, rpc: { data } })), '{"id":1,"rpc":{"data":[1, 2]}}');
    assert.equal(text(data), `[1,${lineBreak}2]`);
  }
});

test('an absent payload that must be there is written as null, one that may be absent is left out', () => {
  assert.equal(
    text(jsonCodec.encodeReply({ push: { message: { data: new Uint8Array(0) } } })),
    '{"push":{"message":{"data":null}}}',
  );
  assert.equal(text(jsonCodec.encodeReply({ id: 1, rpc: { data: new Uint8Array(0) } })), '{"id":1,"rpc":{}}');
  const [reply] = jsonCodec.decodeReplies(encoder.encode('{"push":{"message":{"data":null}}}'));
  assert.deepEqual(reply, { push: { message: { data: new Uint8Array(0) } } });
});

test('null means absent, for every kind of field', () => {
  assert.deepEqual(
    decode(
      '{"id":null,"connect":null,"subscribe":{"channel":null,"recover":null,"offset":null,"data":null},"history":{"since":null}}',
    ),
    [{ subscribe: {}, history: {} }],
  );
  assert.deepEqual(decode('{"id":1,"connect":{"subs":{"a":null,"b":{}},"headers":{"x":null}}}'), [
    { id: 1, connect: { subs: { b: {} }, headers: {} } },
  ]);
  refuses('{"id":1,"id":null}', /duplicate/);
});

test('S13: a field of another type is refused', () => {
  for (const value of ['"1"', '1.0', '1e2', '-1', '01', '4294967296', 'true', '{}', '[]', '+1', '', '- 1', '1x']) {
    refuses(`{"id":${value}}`, /json: /);
  }
  for (const value of ['1', 'true', '{}', '[]', "'a'", '"a', '"a\n"', '"\\x"', '"\\u12g4"']) {
    refuses(`{"id":1,"presence":{"channel":${value}}}`, /json: /);
  }
  for (const value of ['1', '"true"', '{}', 'tru', 'True', 'falsey']) {
    refuses(`{"id":1,"subscribe":{"recover":${value}}}`, /json: /);
  }
  for (const value of ['1', '"x"', '[]', 'true']) {
    refuses(`{"id":1,"connect":${value}}`, /expected \{/);
    refuses(`{"id":1,"connect":{"subs":${value}}}`, /expected \{/);
    refuses(`{"id":1,"connect":{"subs":{"a":${value}}}}`, /expected \{/);
  }
  refuses('{"id":1,"connect":{"headers":{"x":1}}}', /expected "/);
});

test('S13: integers are safe and within their type', () => {
  assert.deepEqual(decode('{"id":4294967295,"subscribe":{"offset":9007199254740991,"flag":-9007199254740991}}'), [
    { id: 4_294_967_295, subscribe: { offset: 9_007_199_254_740_991, flag: -9_007_199_254_740_991 } },
  ]);
  assert.deepEqual(decode('{"id":0,"history":{"limit":-2147483648}}'), [{ id: 0, history: { limit: -2_147_483_648 } }]);
  assert.ok(Object.is(decode('{"history":{"limit":-0}}')[0]?.history?.limit, 0));
  refuses('{"subscribe":{"offset":9007199254740992}}', /out of range/);
  refuses(`{"subscribe":{"offset":1${'0'.repeat(400)}}}`, /out of range/);
  refuses('{"subscribe":{"flag":-9007199254740992}}', /out of range/);
  refuses('{"history":{"limit":2147483648}}', /out of range/);
  refuses('{"subscribe":{"offset":-1}}', /out of range/);
});

test('S13: duplicate members of a command are refused, however they are spelt', () => {
  refuses('{"id":1,"id":1}', /duplicate/);
  refuses('{"id":1,"i\\u0064":2}', /duplicate/);
  refuses('{"id":1,"publish":{"channel":"a","channel":"b"}}', /duplicate/);
  refuses('{"id":1,"unknown":1,"unknown":2}', /duplicate/);
  refuses('{"id":1,"unknown":1,"\\u0075nknown":2}', /duplicate/);
  refuses('{"connect":{"subs":{"a":{},"a":{}}}}', /duplicate/);
  refuses('{"connect":{"subs":{"a":null,"a":{}}}}', /duplicate/);
  refuses('{"connect":{"headers":{"__proto__":"a","__proto__":"b"}}}', /duplicate/);
});

test('unknown members are skipped, and checked', () => {
  assert.deepEqual(
    decode('{"id":1,"x":{"a":[1,{"a":1,"a":2}]},"constructor":1,"__proto__":{"id":5},"ping":{"y":"z"}}'),
    [{ id: 1, ping: {} }],
  );
  assert.deepEqual(decode('{"\\u0069d":7}'), [{ id: 7 }]);
  refuses('{"id":1,"x":{"a":}}', /expected a value/);
  refuses('{"id":1,"x":[1,]}', /expected a value/);
  refuses('{"id":1,"x":tru}', /expected true/);
});

test('S13: members of an object are bounded, in commands and in payloads', () => {
  const members = (count: number) => Array.from({ length: count }, (_, i) => `"k${i}":0`).join(',');
  assert.equal(decode(`{${members(frameBounds.keysMax)}}`).length, 1);
  refuses(`{${members(frameBounds.keysMax + 1)}}`, /too many members/);
  assert.doesNotThrow(() => validateJson(encoder.encode(`[{${members(1_000)}},{${members(1_000)}}]`)));
  flags(`{"a":{${members(frameBounds.keysMax + 1)}}}`, /too many members/);
  refuses(`{"x":{"a":{${members(frameBounds.keysMax + 1)}}}}`, /too many members/);
  assert.doesNotThrow(() => validateJson(encoder.encode(`[${'0,'.repeat(5_000)}0]`)));
});

test('S13: nesting is bounded, counted from the root of the payload, and costs no stack', () => {
  const nested = (depth: number) => '[{"a":'.repeat(depth / 2) + '1' + '}]'.repeat(depth / 2);
  assert.equal(
    text(jsonCodec.decodeCommands(encoder.encode(`{"send":{"data":${nested(32)}}}`))[0]?.send?.data),
    nested(32),
  );
  flags(nested(34), /nested too deeply/);
  flags(`[${nested(32)}]`, /nested too deeply/);
  flags(`[${nested(10_000)},${nested(32)}]`, /nested too deeply/);
  refuses(`{"x":${nested(34)}}`, /nested too deeply/);
  for (const [open, close] of [
    ['[', ']'],
    ['{"a":', '}'],
  ] as const) {
    const alone = (depth: number) => encoder.encode(`${open.repeat(depth)}0${close.repeat(depth)}`);
    assert.doesNotThrow(() => validateJson(alone(frameBounds.depthMax)));
    assert.throws(() => validateJson(alone(frameBounds.depthMax + 1)), /nested too deeply/);
  }
  refuses(`{"x":${'['.repeat(1_000_000)}`, /nested too deeply/);
});

test('a payload beyond its bounds must still be JSON to its end, and end where its command says', () => {
  const deep = '['.repeat(40);
  refuses(`{"send":{"data":${deep}`, /expected a value/);
  refuses(`{"send":{"data":${deep}0${']'.repeat(39)}}}`, /expected , or the end/);
  refuses(`{"send":{"data":${deep}0${']'.repeat(41)}}}`, /expected \}/);
  refuses(`{"send":{"data":${deep}0${'}'.repeat(40)}}}`, /expected , or the end/);
  refuses('{"send":{"data":"\\ud800\\u12x4"}}', /expected four hex digits/);
  refuses('{"send":{"data":"\\ud800}}', /unfinished string/);
  refuses('{"send":{"data":"\\ud800"},"send":{}}', /duplicate/);
});

test('every payload of a command counts: one flaw marks it, and the first is told', () => {
  const frame = '{"id":1,"connect":{"data":"\\ud800","subs":{"a":{"data":"\\udc00","epoch":"e"},"b":{"data":1}}}}';
  const [command] = jsonCodec.decodeCommands(encoder.encode(frame));
  assert.match(command?.flaw ?? '', /lone surrogate at byte 27/);
  assert.deepEqual(Object.keys(command?.connect?.subs?.['a'] ?? {}), ['epoch']);
  assert.equal(text(command?.connect?.subs?.['b']?.data), '1');
  // Not something that a peer can say.
  assert.deepEqual(decode('{"id":1,"flaw":"x","ping":{}}'), [{ id: 1, ping: {} }]);
});

test('S18: text must be well-formed, in UTF-8 and in escapes', () => {
  const frame = (bytes: readonly number[]) =>
    Buffer.concat([Buffer.from('{"send":{"data":"'), Buffer.from(bytes), Buffer.from('"}}')]);
  for (const good of [
    [0xc2, 0x80],
    [0xe0, 0xa0, 0x80],
    [0xed, 0x9f, 0xbf],
    [0xee, 0x80, 0x80],
    [0xf0, 0x90, 0x80, 0x80],
    [0xf4, 0x8f, 0xbf, 0xbf],
    [0xef, 0xbb, 0xbf],
  ]) {
    assert.equal(jsonCodec.decodeCommands(frame(good)).length, 1);
  }
  for (const bad of [
    [0x80],
    [0xff],
    [0xc0, 0x80],
    [0xc1, 0xbf],
    [0xc2],
    [0xc2, 0x22],
    [0xe0, 0x9f, 0x80],
    [0xe1, 0x80],
    [0xed, 0xa0, 0x80],
    [0xf0, 0x8f, 0xbf, 0xbf],
    [0xf4, 0x90, 0x80, 0x80],
    [0xf5, 0x80, 0x80, 0x80],
    [0xf0, 0x90, 0x80],
    [0xf0, 0x90, 0x80, 0x22],
  ]) {
    refuses(frame(bad), /malformed UTF-8/);
  }
  for (const bad of [
    '\\ud800',
    '\\udc00',
    '\\ud800\\ud800',
    '\\ud800x',
    '\\uDBFF\\u0041',
    '\\udc00\\ud800',
    '\\ud800\\n',
  ]) {
    flags(`"${bad}"`, /lone surrogate/);
    flags(`{"${bad}":[1]}`, /lone surrogate/);
    refuses(`{"presence":{"channel":"${bad}"}}`, /lone surrogate/);
  }
  assert.deepEqual(decode('{"presence":{"channel":"\\ud83c\\udfba é\\u00e9"}}'), [{ presence: { channel: '🎺 éé' } }]);
  for (const control of ['\u0000', '\u001f', '\t', '\n'])
    refuses(`{"send":{"data":"${control}"}}`, /control character/);
});

test('strings of every length around the limits of the fast paths survive', () => {
  for (let length = 0; length < 100; length++) {
    for (const unit of ['a', 'é', '"', '\\', '\u001f', '\n', '🎺']) {
      const channel = 'x'.repeat(length) + unit + 'y'.repeat(length % 3);
      const frame = jsonCodec.encodeCommands([{ id: 1, presence: { channel } }]);
      assert.deepEqual(JSON.parse(text(frame)), { id: 1, presence: { channel } });
      assert.deepEqual(jsonCodec.decodeCommands(frame), [{ id: 1, presence: { channel } }]);
    }
  }
});

test('validateJson accepts one value and nothing else', () => {
  const valid = (json: string) => assert.doesNotThrow(() => validateJson(encoder.encode(json)), json);
  const invalid = (json: string) => assert.throws(() => validateJson(encoder.encode(json)), BadFrame, json);
  for (const json of [
    '0',
    ' 1 ',
    '\n{}\r\n',
    '[1,2]',
    '"a"',
    'null',
    'true',
    '{"a":{"b":[]}}',
    '-0',
    '1e1',
    '1E+1',
    '0.5',
    '1.5e-7',
  ])
    valid(json);
  for (const json of [
    '',
    ' ',
    '1 2',
    '{}x',
    '[',
    ']',
    '{]',
    '[}',
    '[1}',
    '{"a":1]',
    '01',
    '1.',
    '.5',
    '-',
    '--1',
    '1e',
    '1e+',
    '+1',
    '0x1',
    'NaN',
    'Infinity',
    'nul',
    'nulll',
    '"',
    '"\\"',
    '{"a"}',
    '{"a":1,}',
    '{1:1}',
    '[1 2]',
    '[,]',
    '// x',
    "'a'",
    '\u00a01',
    '\f1',
    '\ufeff1',
  ])
    invalid(json);
  assert.throws(() => validateJson(encoder.encode('[1,2')), { name: 'BadFrame', message: /at byte 4$/ });
});

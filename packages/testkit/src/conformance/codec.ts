import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadFrame, frameBounds, type Codec, type Command, type Reply } from '@tutti/protocol';
import { goldenCommands, goldenReplies } from '@tutti/protocol/golden';
import { SeededRandom } from '../seeded-random.ts';
import { sampleMessage } from './sample-message.ts';

const encoder = new TextEncoder();

/** Maps without a prototype become plain, so that they compare with literals. */
function plain<T>(messages: T): T {
  return structuredClone(messages);
}

/** The decoders' whole promise about bad input: `BadFrame`, or messages. */
function decodeOrBadFrame(decode: (frame: Uint8Array) => unknown[], frame: Uint8Array): unknown[] | undefined {
  try {
    return decode(frame);
  } catch (error) {
    assert.ok(error instanceof BadFrame, `threw ${String(error)} for ${Buffer.from(frame).toString('hex')}`);
    return undefined;
  }
}

/** What every `Codec` must do. Registers tests with node:test; call it once for each implementation. */
export function codecConformance(name: string, codec: Codec): void {
  const replyFrame = (replies: readonly Reply[]) => codec.joinReplies(replies.map((reply) => codec.encodeReply(reply)));

  identity(name, codec, replyFrame);
  payloadsAndMaps(name, codec, replyFrame);
  badInput(name, codec, replyFrame);
}

type ReplyFrame = (replies: readonly Reply[]) => Uint8Array;

function identity(name: string, codec: Codec, replyFrame: ReplyFrame): void {
  test(`${name}: every field of every message survives, one way and the other`, () => {
    const random = new SeededRandom(1);
    for (let round = 0; round < 40; round++) {
      const command = sampleMessage('Command', random, 1) as Command;
      assert.deepEqual(plain(codec.decodeCommands(codec.encodeCommands([command]))), plain([command]));
      const reply = sampleMessage('Reply', random, 1) as Reply;
      assert.deepEqual(plain(codec.decodeReplies(replyFrame([reply]))), plain([reply]));
    }
  });

  test(`${name}: 1,000 random messages survive, in frames of several and in order`, () => {
    const random = new SeededRandom(2);
    for (let round = 0; round < 200; round++) {
      const commands = Array.from({ length: 5 }, () => sampleMessage('Command', random, 0.3) as Command);
      assert.deepEqual(plain(codec.decodeCommands(codec.encodeCommands(commands))), plain(commands));
      const replies = Array.from({ length: 5 }, () => sampleMessage('Reply', random, 0.3) as Reply);
      assert.deepEqual(plain(codec.decodeReplies(replyFrame(replies))), plain(replies));
    }
  });

  test(`${name}: golden messages survive`, () => {
    const commands = goldenCommands.map((golden) => golden.message);
    assert.deepEqual(plain(codec.decodeCommands(codec.encodeCommands(commands))), commands);
    const replies = goldenReplies.map((golden) => golden.message);
    assert.deepEqual(plain(codec.decodeReplies(replyFrame(replies))), replies);
  });

  test(`${name}: an empty command is a pong, an empty reply a ping`, () => {
    assert.deepEqual(codec.decodeCommands(codec.encodeCommands([{}])), [{}]);
    assert.deepEqual(codec.decodeReplies(replyFrame([{}, {}])), [{}, {}]);
  });

  test(`${name}: empty results keep their key, which SDKs look for`, () => {
    const replies: Reply[] = [
      { id: 1, connect: { client: '' } },
      { id: 2, subscribe: {} },
      { id: 3, unsubscribe: {} },
      { id: 4, publish: {} },
      { id: 5, presence: { presence: {} } },
      { id: 6, presence_stats: { num_clients: 0, num_users: 0 } },
      { id: 7, history: { publications: [], epoch: '', offset: 0 } },
      { id: 8, rpc: {} },
      { id: 9, refresh: { client: '' } },
      { id: 10, sub_refresh: {} },
    ];
    assert.deepEqual(plain(codec.decodeReplies(replyFrame(replies))), replies);
  });

  test(`${name}: undefined members are left out`, () => {
    const reply = { id: 1, error: undefined, rpc: { data: undefined } } as unknown as Reply;
    assert.deepEqual(codec.decodeReplies(replyFrame([reply])), [{ id: 1, rpc: {} }]);
  });

  test(`${name}: an encoded reply stays what it is when others follow, also after one that failed`, () => {
    const reply: Reply = { id: 1, rpc: { data: encoder.encode('{"first":true}') } };
    const first = codec.encodeReply(reply);
    const bytes = [...first];
    codec.encodeReply({ id: 2, rpc: { data: encoder.encode('{"second":false,"longer":"than the first"}') } });
    assert.throws(() => codec.encodeReply({ id: -1, rpc: {} }), RangeError);
    assert.deepEqual([...first], bytes);
    assert.deepEqual([...codec.encodeReply(reply)], bytes);
    assert.equal(codec.joinReplies([first]), first);
    assert.equal(codec.joinReplies([]).length, 0);
  });

  test(`${name}: a lone surrogate is replaced, so that the frame stays readable`, () => {
    for (const text of ['a\ud800', 'a\udc00b', '"\ud800']) {
      const [reply] = codec.decodeReplies(codec.encodeReply({ error: { code: 1, message: text } }));
      assert.equal(reply?.error?.message, text.toWellFormed());
    }
  });
}

function payloadsAndMaps(name: string, codec: Codec, replyFrame: ReplyFrame): void {
  test(`${name}: decoded payloads are copies of the frame, whatever kind of view it is`, () => {
    const commands: Command[] = [{ id: 1, publish: { channel: 'c', data: encoder.encode('{"text":"hello"}') } }];
    const frame = codec.encodeCommands(commands);
    const padded = () => {
      const room = new Uint8Array(frame.length + 16);
      room.set(frame, 8);
      return room;
    };
    for (const view of [
      frame.slice(),
      padded().subarray(8, 8 + frame.length),
      Buffer.from(frame),
      Buffer.from(padded().buffer, 8, frame.length),
    ]) {
      const data = codec.decodeCommands(view)[0]?.publish?.data;
      assert.ok(data !== undefined);
      assert.equal(data.constructor, Uint8Array);
      assert.notEqual(data.buffer, view.buffer);
      assert.equal(data.buffer.byteLength, data.length);
      view.fill(0);
      assert.equal(Buffer.from(data).toString(), '{"text":"hello"}');
    }
  });

  test(`${name}: S12: names that mean something to JavaScript are ordinary keys`, () => {
    const names = ['__proto__', 'constructor', 'prototype', 'hasOwnProperty', '__defineGetter__', ''];
    const headers = Object.create(null) as Record<string, string>;
    for (const key of names) headers[key] = `value of ${key}`;
    const [command] = codec.decodeCommands(codec.encodeCommands([{ id: 1, connect: { headers } }]));
    const decoded = command?.connect?.headers;
    assert.ok(decoded !== undefined);
    assert.equal(Object.getPrototypeOf(decoded), null);
    assert.deepEqual(Object.keys(decoded), names);
    for (const key of names) assert.equal(decoded[key], `value of ${key}`);
    assert.equal(({} as Record<string, unknown>)['value of __proto__'], undefined);
  });

  test(`${name}: a payload is carried byte for byte`, () => {
    const data = encoder.encode('{ "b" : 1.0e0 , "a":"\\u0041\\/", "a" : [ ] }');
    const [command] = codec.decodeCommands(codec.encodeCommands([{ id: 1, rpc: { data } }]));
    assert.deepEqual(command?.rpc?.data, data);
    const [reply] = codec.decodeReplies(replyFrame([{ id: 1, rpc: { data } }]));
    assert.deepEqual(reply?.rpc?.data, data);
  });
}

function badInput(name: string, codec: Codec, replyFrame: ReplyFrame): void {
  test(`${name}: S13: a frame without a message is refused`, () => {
    assert.throws(() => codec.decodeCommands(new Uint8Array(0)), BadFrame);
    assert.throws(() => codec.decodeReplies(new Uint8Array(0)), BadFrame);
  });

  test(`${name}: S13: messages in a frame and entries in a map are bounded`, () => {
    const pongs = (count: number): Command[] => Array.from({ length: count }, () => ({}));
    assert.equal(codec.decodeCommands(codec.encodeCommands(pongs(frameBounds.messagesMax))).length, 1_000);
    assert.throws(() => codec.decodeCommands(codec.encodeCommands(pongs(frameBounds.messagesMax + 1))), BadFrame);

    const subs = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`c${i}`, {}]));
    const connect = (count: number) => codec.encodeCommands([{ id: 1, connect: { subs: subs(count) } }]);
    const most = codec.decodeCommands(connect(frameBounds.keysMax))[0]?.connect?.subs;
    assert.equal(Object.keys(most ?? {}).length, frameBounds.keysMax);
    assert.throws(() => codec.decodeCommands(connect(frameBounds.keysMax + 1)), BadFrame);
  });

  test(`${name}: S13: a frame cut anywhere gives BadFrame or the messages before the cut`, () => {
    const commands = goldenCommands.map((golden) => golden.message);
    const frame = codec.encodeCommands(commands);
    for (let length = 0; length < frame.length; length++) {
      const decoded = decodeOrBadFrame((part) => codec.decodeCommands(part), frame.subarray(0, length));
      if (decoded !== undefined) assert.deepEqual(plain(decoded), commands.slice(0, decoded.length));
    }
    const replies = replyFrame(goldenReplies.map((golden) => golden.message));
    for (let length = 0; length < replies.length; length++) {
      decodeOrBadFrame((part) => codec.decodeReplies(part), replies.subarray(0, length));
    }
  });

  test(`${name}: S13: one wrong byte anywhere gives BadFrame or messages, nothing else`, () => {
    const frame = codec.encodeCommands(goldenCommands.map((golden) => golden.message));
    for (let at = 0; at < frame.length; at++) {
      for (const byte of [0x00, 0x0a, 0x22, 0x5c, 0x7b, 0x7f, 0x80, 0xed, 0xff]) {
        const broken = frame.slice();
        broken[at] = byte;
        decodeOrBadFrame((part) => codec.decodeCommands(part), broken);
      }
    }
  });

  test(`${name}: S13: random bytes give BadFrame or messages, nothing else`, () => {
    const random = new SeededRandom(3);
    for (let round = 0; round < 5_000; round++) {
      const bytes = random.bytes(random.int(40));
      decodeOrBadFrame((part) => codec.decodeCommands(part), bytes);
      decodeOrBadFrame((part) => codec.decodeReplies(part), bytes);
    }
  });
}

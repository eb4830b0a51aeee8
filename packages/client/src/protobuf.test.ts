import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Command, Reply } from '@tutti/protocol';
import { protobufCodec } from '@tutti/protocol/protobuf';
import { jsonCodec } from './json-codec.ts';
import { protobuf } from './protobuf.ts';

const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const info = { user: 'ann', client: 'c', conn_info: { a: 1 }, chan_info: ['b'] };
const publication = { data: { text: 'hi' }, info, offset: 3, tags: { t: 'x' } };

const commands: Command<unknown>[] = [
  {
    id: 1,
    connect: { token: 't', data: { a: 1 }, subs: { '#u': { recover: true, offset: 2, epoch: 'e', data: [1] } } },
  },
  { id: 2, subscribe: { channel: 'room', data: 'x', recover: true, offset: 7, epoch: 'e' } },
  { id: 3, publish: { channel: 'room', data: null, idempotency_key: 'k' } },
  { id: 4, rpc: { method: 'm', data: 5 } },
  { send: { data: true } },
];

const replies: Reply<unknown>[] = [
  {
    id: 1,
    connect: { client: 'c', data: { a: 1 }, subs: { '#u': { publications: [publication], data: 1, epoch: 'e' } } },
  },
  { id: 2, subscribe: { publications: [publication], data: { welcome: true }, offset: 3, epoch: 'e' } },
  { id: 3, history: { publications: [publication], offset: 3, epoch: 'e' } },
  { id: 4, presence: { presence: { c: info } } },
  { id: 5, rpc: { data: [1, 2] } },
  { push: { channel: 'room', pub: publication } },
  { push: { channel: 'room', join: { info } } },
  { push: { channel: 'room', leave: { info } } },
  { push: { message: { data: 'm' } } },
  { push: { channel: 'room', subscribe: { data: 'd', offset: 1, epoch: 'e' } } },
  { id: 6, error: { code: 103, message: 'permission denied' } },
];

/** The same with payloads as bytes, as a node holds it. */
function asBytes<T>(message: T): T {
  const payloads = new Set(['data', 'conn_info', 'chan_info']);
  const entries = Object.entries(message as object).map(([key, value]: [string, unknown]) => {
    if (payloads.has(key)) return [key, text(value)];
    if (Array.isArray(value)) return [key, value.map((one: unknown) => asBytes(one))];
    return [key, typeof value === 'object' && value !== null ? asBytes(value) : value];
  });
  return Object.fromEntries(entries) as T;
}

test('commands: every payload becomes the bytes of its JSON, and nothing else changes', () => {
  const codec = protobuf();
  const frame = codec.join(commands.map((command) => codec.encode(command))) as Uint8Array;
  assert.deepEqual(
    structuredClone(protobufCodec.decodeCommands(frame)),
    commands.map((command) => asBytes(command)),
  );
});

test('replies: every payload is the value again, in one frame', () => {
  const encoded = replies.map((reply) => protobufCodec.encodeReply(asBytes(reply) as Reply));
  const frame = Uint8Array.from(protobufCodec.joinReplies(encoded)).buffer;
  const decoded = protobuf().decode(frame);
  assert.equal(decoded.length, replies.length);
  for (const [i, reply] of replies.entries()) assert.partialDeepStrictEqual(decoded[i], reply);
});

test("payload: 'bytes' hands the bytes through, and refuses what is none", () => {
  const codec = protobuf({ payload: 'bytes' });
  const data = new Uint8Array([0, 255, 1]);
  const frame = protobufCodec.encodeReply({ push: { channel: 'room', pub: { data, offset: 1 } } });
  const [reply] = codec.decode(Uint8Array.from(frame).buffer);
  assert.deepEqual(reply?.push?.pub?.data, data);
  assert.throws(() => codec.encode({ id: 1, publish: { channel: 'room', data: 'text' } }), /must be a Uint8Array/);
});

test('an empty message is a ping, and a pong', () => {
  const codec = protobuf();
  assert.deepEqual(codec.decode(Uint8Array.from(protobufCodec.encodeReply({})).buffer), [{}]);
  assert.deepEqual(codec.encode({}), new Uint8Array([0]));
  assert.deepEqual([jsonCodec.decode('{}'), jsonCodec.encode({})], [[{}], '{}']);
});

test('json: bytes are counted as UTF-8, and a text frame is not a binary one', () => {
  assert.equal(jsonCodec.sizeOf('"é漢"'), 2 + 5);
  assert.throws(() => jsonCodec.decode(new ArrayBuffer(2)), /expected a text frame/);
  assert.throws(() => protobuf().decode('{}'), /expected a binary frame/);
});

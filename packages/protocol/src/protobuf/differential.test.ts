import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { sampleMessage } from '@tutti/testkit/conformance/sample-message';
import { SeededRandom } from '@tutti/testkit/seeded-random';
import { goldenCommands, goldenReplies } from '../golden/frames.ts';
import type { Command, Reply } from '../messages.ts';
import { schema, type FieldSpec, type MessageName } from '../schema.ts';
import { protobufCodec } from './index.ts';

const root = new protobuf.Root().loadSync(fileURLToPath(new URL('wire.proto', import.meta.url)), { keepCase: true });
const theirCommand = root.lookupType('Command');
const theirReply = root.lookupType('Reply');

type Message = Record<string, unknown>;

function theirEncode(type: protobuf.Type, message: object): Uint8Array {
  return type.encodeDelimited(message).finish();
}

function theirDecode(type: protobuf.Type, frame: Uint8Array): Message {
  return type.toObject(type.decodeDelimited(frame), { longs: Number, arrays: false, objects: false });
}

function isDefault(value: unknown): boolean {
  if (value === '' || value === 0 || value === false) return true;
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

/** As protobufjs shows a message: required fields at their default are absent. */
function asTheirs(message: Message, name: MessageName): Message {
  const shown: Message = {};
  for (const [key, field] of Object.entries<FieldSpec>(schema[name])) {
    const value = message[key];
    if (value === undefined || (field.required && (field.repeated || field.type !== 'message') && isDefault(value)))
      continue;
    const inner = field.message;
    const convert = (one: unknown) => (inner === undefined ? one : asTheirs(one as Message, inner));
    if (field.type === 'bytes') shown[key] = value;
    else if (field.repeated) shown[key] = (value as unknown[]).map(convert);
    else if (field.type === 'map') {
      shown[key] = Object.fromEntries(Object.entries(value as Message).map(([k, one]) => [k, convert(one)]));
    } else shown[key] = convert(value);
  }
  return shown;
}

/** protobufjs keeps maps in plain objects, where this key cannot be stored. */
function hasProtoKey(message: unknown): boolean {
  if (typeof message !== 'object' || message === null || message instanceof Uint8Array) return false;
  return Object.entries(message).some(([key, value]) => key === '__proto__' || hasProtoKey(value));
}

function agreeOnCommand(message: Command): void {
  const ours = protobufCodec.encodeCommands([message]);
  assert.deepEqual(theirDecode(theirCommand, ours), asTheirs(message as Message, 'Command'));
  assert.deepEqual(
    structuredClone(protobufCodec.decodeCommands(theirEncode(theirCommand, message))),
    structuredClone([message]),
  );
}

function agreeOnReply(message: Reply): void {
  const ours = protobufCodec.encodeReply(message);
  assert.deepEqual(theirDecode(theirReply, ours), asTheirs(message as Message, 'Reply'));
  assert.deepEqual(
    structuredClone(protobufCodec.decodeReplies(theirEncode(theirReply, message))),
    structuredClone([message]),
  );
}

test('protobufjs reads what we write and writes what we read: golden messages', () => {
  for (const { message } of goldenCommands) agreeOnCommand(message);
  for (const { message } of goldenReplies) agreeOnReply(message);
});

test('protobufjs reads what we write and writes what we read: random messages', () => {
  const random = new SeededRandom(11);
  let compared = 0;
  while (compared < 300) {
    const command = sampleMessage('Command', random, 0.4) as Command;
    const reply = sampleMessage('Reply', random, 0.4) as Reply;
    if (hasProtoKey(command) || hasProtoKey(reply)) continue;
    agreeOnCommand(command);
    agreeOnReply(reply);
    compared++;
  }
});

test('fields of the protocol that we do not know are skipped', () => {
  const filter = { op: 'and', nodes: [{ op: 'eq', key: 'k' }, { nodes: [{}] }] };
  const subscribe = { channel: 'c', tf: filter, phase: 2, cursor: 'x', limit: -5, asc: true, type: 1 };
  assert.deepEqual(protobufCodec.decodeCommands(theirEncode(theirCommand, { id: 1, subscribe })), [
    { id: 1, subscribe: { channel: 'c', tf: {}, type: 1 } },
  ]);
  const data = new Uint8Array([1]);
  const pub = { data, removed: true, score: -(2 ** 40), prev_data: data, version: 2 ** 52, offset: 3 };
  assert.deepEqual(protobufCodec.decodeReplies(theirEncode(theirReply, { push: { id: 7, channel: 'c', pub } })), [
    { push: { channel: 'c', pub: { data, offset: 3 } } },
  ]);
});

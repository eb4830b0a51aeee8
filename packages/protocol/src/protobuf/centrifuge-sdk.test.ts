import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Centrifuge } from 'centrifuge/build/protobuf';
import { goldenCommands, goldenReplies } from '../golden/frames.ts';
import { protobufCodec } from './index.ts';

interface SdkCodec {
  encodeCommands(commands: readonly object[]): Uint8Array;
  decodeReplies(frame: Uint8Array): object[];
}

/** The codec inside the official SDK: not public, and the most honest judge there is. */
function sdkCodec(): SdkCodec {
  const client = new Centrifuge('ws://127.0.0.1:1/never-connected', {});
  return (client as unknown as { _codec: SdkCodec })._codec;
}

/** Tutti's own members, which the SDK neither writes nor reads. */
const ours = new Set([
  'idempotency_key',
  'expected_offset',
  'expected_epoch',
  'final',
  'skipped',
  'duplicate',
  'interval',
  'frame_bytes_max',
]);

function withoutOurs(message: unknown): unknown {
  if (typeof message !== 'object' || message === null || message instanceof Uint8Array) return message;
  if (Array.isArray(message)) return message.map(withoutOurs);
  return Object.fromEntries(
    Object.entries(message)
      .filter(([key]) => !ours.has(key))
      .map(([key, value]) => [key, withoutOurs(value)]),
  );
}

/** One shape for both: 64-bit integers as numbers, payloads as buffers; defaults and empty lists left out. */
function comparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(comparable);
  if ('toNumber' in value) return (value as { toNumber(): number }).toNumber();
  const entries = Object.entries(value).filter(
    ([key, member]) =>
      !(member === '' || member === 0 || (Array.isArray(member) && member.length === 0) || isEmptyMap(key, member)),
  );
  return Object.fromEntries(entries.map(([key, member]) => [key, comparable(member)]));
}

function isEmptyMap(key: string, member: unknown): boolean {
  return (key === 'tags' || key === 'subs') && Object.keys(member as object).length === 0;
}

test('the official SDK writes commands that we read', () => {
  const codec = sdkCodec();
  for (const { name, message } of goldenCommands) {
    const known = withoutOurs(message) as object;
    assert.deepEqual(structuredClone(protobufCodec.decodeCommands(codec.encodeCommands([known]))), [known], name);
  }
  const all = goldenCommands.map(({ message }) => withoutOurs(message) as object);
  assert.deepEqual(structuredClone(protobufCodec.decodeCommands(codec.encodeCommands(all))), all);
});

test('the official SDK reads replies that we write', () => {
  const codec = sdkCodec();
  const frame = protobufCodec.joinReplies(goldenReplies.map(({ message }) => protobufCodec.encodeReply(message)));
  const replies = codec.decodeReplies(frame);
  assert.equal(replies.length, goldenReplies.length);
  for (const [index, { name, message }] of goldenReplies.entries()) {
    // A position in a publish result is ours as well, under names it has elsewhere.
    const known = message.publish === undefined ? message : { ...message, publish: {} };
    assert.deepEqual(comparable(replies[index]), comparable(withoutOurs(known)), name);
  }
});

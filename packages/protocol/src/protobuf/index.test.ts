import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadFrame, frameBounds } from '../codec.ts';
import { protobufCodec } from './index.ts';

const decode = (hex: string) => protobufCodec.decodeCommands(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

test('S13: malformed Protobuf is refused', () => {
  const malformed: Record<string, string> = {
    'no bytes': '',
    'length beyond the frame': '05 08 01',
    'length of 2^31': '80 80 80 80 08',
    'length of 2^32 - 1': 'ff ff ff ff 0f',
    'length beyond 32 bits': 'ff ff ff ff 1f',
    'length that never ends': '80 80 80 80 80 80',
    'key cut off': '01 80',
    'value cut off': '02 08 80',
    'varint of eleven bytes': '0c 08 80 80 80 80 80 80 80 80 80 80 01',
    'varint beyond 64 bits': '0b 08 ff ff ff ff ff ff ff ff ff 02',
    'signed varint beyond 64 bits': '0d 52 0b 38 81 80 80 80 80 80 80 80 80 02',
    'field number 0': '02 00 01',
    'wrong wire type for an integer': '03 0a 01 31',
    'wrong wire type for a message': '02 20 01',
    'start of a group': '03 a3 06 00',
    'end of a group': '03 a4 06 00',
    'wire type 6': '03 9e 06 00',
    'wire type 7': '03 9f 06 00',
    'uint32 beyond 32 bits': '06 08 80 80 80 80 10',
    'negative uint32': '0b 08 ff ff ff ff ff ff ff ff ff 01',
    'offset beyond 2^53 - 1': '0b 2a 09 38 80 80 80 80 80 80 80 10',
    'offset of 2^64 - 1': '0d 2a 0b 38 ff ff ff ff ff ff ff ff ff 01',
    'limit below -2^31': '0d 52 0b 38 ff ff ff ff f7 ff ff ff ff 01',
    'limit of 2^31': '08 52 06 38 80 80 80 80 08',
    'string that is not UTF-8': '05 32 03 0a 01 ff',
    'overlong UTF-8': '06 32 04 0a 02 c0 80',
    'surrogate in UTF-8': '07 32 05 0a 03 ed a0 80',
    'string cut off': '05 32 03 0a 02 61',
    'inner message longer than the outer': '04 32 05 0a 00',
    'map entry with a key that is no string': '06 22 04 1a 02 08 01',
    'map entry with a value that is no message': '06 22 04 1a 02 10 01',
    'unknown fixed64 cut off': '03 a1 06 00',
    'unknown fixed32 cut off': '03 a5 06 00',
  };
  for (const [what, hex] of Object.entries(malformed)) assert.throws(() => decode(hex), BadFrame, what);
});

test('unusual but correct Protobuf is read', () => {
  assert.deepEqual(decode('00'), [{}]);
  assert.deepEqual(decode('00 00 00'), [{}, {}, {}]);
  // Written longer than needed, as some encoders patch lengths in place.
  assert.deepEqual(decode('83 80 00 08 81 00'), [{ id: 1 }]);
  // The last of a repeated scalar counts.
  assert.deepEqual(decode('04 08 01 08 02'), [{ id: 2 }]);
  // Unknown fields of each wire type.
  assert.deepEqual(decode('15 a0 06 01 a1 06 0000000000000000 a5 06 00000000 08 07'), [{ id: 7 }]);
  assert.deepEqual(decode('06 a2 06 01 ff 08 07'), [{ id: 7 }]);
  // Negative int32: ten bytes as specified.
  assert.deepEqual(decode('0d 52 0b 38 ff ff ff ff ff ff ff ff ff 01'), [{ history: { limit: -1 } }]);
  assert.deepEqual(decode('0d 52 0b 38 80 80 80 80 f8 ff ff ff ff 01'), [{ history: { limit: -(2 ** 31) } }]);
  assert.deepEqual(decode('0b 2a 09 38 ff ff ff ff ff ff ff 0f'), [{ subscribe: { offset: Number.MAX_SAFE_INTEGER } }]);
  // Any non-zero varint is true.
  assert.deepEqual(decode('04 2a 02 18 02'), [{ subscribe: { recover: true } }]);
  // A leading byte order mark is text.
  assert.deepEqual(decode('07 32 05 0a 03 ef bb bf'), [{ unsubscribe: { channel: '\ufeff' } }]);
  // Map entries without key or value have their defaults.
  assert.deepEqual(structuredClone(decode('04 22 02 1a 00')), [{ connect: { subs: { '': {} } } }]);
  assert.deepEqual(structuredClone(decode('07 22 05 32 03 0a 01 61')), [{ connect: { headers: { a: '' } } }]);
});

test('S13: unknown fields may nest as deep as they like: nobody looks inside', () => {
  let nested = Buffer.alloc(0);
  for (let depth = 0; depth < 20; depth++) nested = Buffer.concat([Buffer.from([0xa2, 0x06, nested.length]), nested]);
  const [command] = protobufCodec.decodeCommands(Buffer.concat([Buffer.from([nested.length]), nested]));
  assert.deepEqual(command, {});
});

test('S13: one entry repeated counts against the bound of a map', () => {
  const entries = (count: number) =>
    Buffer.concat(Array.from({ length: count }, () => Buffer.from('1a050a0161' + '1200', 'hex')));
  const frame = (count: number) => {
    const connect = entries(count);
    return protobufCodec.joinReplies([delimited(Buffer.concat([Buffer.from([0x22]), delimited(connect)]))]);
  };
  assert.equal(protobufCodec.decodeCommands(frame(frameBounds.keysMax)).length, 1);
  assert.throws(() => protobufCodec.decodeCommands(frame(frameBounds.keysMax + 1)), BadFrame);
});

function delimited(body: Buffer): Buffer {
  const length = body.length;
  return Buffer.concat([Buffer.from([(length & 0x7f) | 0x80, ((length >> 7) & 0x7f) | 0x80, length >> 14]), body]);
}

test('BadFrame names the byte', () => {
  assert.throws(() => decode('02 08 80'), { name: 'BadFrame', message: 'protobuf: truncated at byte 3' });
});

test('messages of every size survive, also where the scratch space must grow for their lengths', () => {
  const large = 1 << 18;
  const sizes = [...Array.from({ length: 60 }, (_, i) => 4_050 + i), 8_190, 10_000, 16_380, 20_000, 70_000, large];
  for (const size of sizes) {
    // Leaves the scratch space as small as at first.
    protobufCodec.encodeCommands([{ send: { data: new Uint8Array(large + 1) } }]);
    const data = new Uint8Array(size).fill(65);
    const reply = { push: { channel: 'c', pub: { data } } };
    assert.deepEqual(protobufCodec.decodeReplies(protobufCodec.encodeReply(reply)), [reply], `${size} bytes`);
  }
});

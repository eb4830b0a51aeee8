import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonCodec } from '../json/index.ts';
import { protobufCodec } from '../protobuf/index.ts';
import { goldenCommands, goldenReplies } from './frames.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8');

for (const { name, message, json, protobuf } of goldenCommands) {
  test(`golden command: ${name}`, () => {
    assert.equal(text(jsonCodec.encodeCommands([message])), json);
    assert.equal(hex(protobufCodec.encodeCommands([message])), protobuf);
    assert.deepEqual(structuredClone(jsonCodec.decodeCommands(Buffer.from(json))), [message]);
    assert.deepEqual(structuredClone(protobufCodec.decodeCommands(Buffer.from(protobuf, 'hex'))), [message]);
  });
}

for (const { name, message, json, protobuf } of goldenReplies) {
  test(`golden reply: ${name}`, () => {
    assert.equal(text(jsonCodec.encodeReply(message)), json);
    assert.equal(hex(protobufCodec.encodeReply(message)), protobuf);
    assert.deepEqual(structuredClone(jsonCodec.decodeReplies(Buffer.from(json))), [message]);
    assert.deepEqual(structuredClone(protobufCodec.decodeReplies(Buffer.from(protobuf, 'hex'))), [message]);
  });
}

test('golden JSON is what JSON.parse reads too', () => {
  for (const { json } of [...goldenCommands, ...goldenReplies]) assert.doesNotThrow(() => JSON.parse(json) as unknown);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodyBytesMax, controlMessageBytesMax } from './control-bus.ts';
import { openEnvelope, sealEnvelope, type Envelope } from './envelope.ts';
import { BadMessage } from './message-fields.ts';

const secret = 'a secret between the nodes of a test cluster';
const envelope: Envelope = {
  from: { name: 'a', incarnation: 'a-1' },
  sequence: 7,
  to: 'b-1',
  topic: 'presence',
  kind: 'ask',
  question: 'q',
  part: 0,
  parts: 1,
};
const body = Buffer.from('{"x":1}');

test('an envelope is opened as it was sealed, signed or not', () => {
  for (const key of ['', secret]) {
    const opened = openEnvelope(sealEnvelope(envelope, body, key), key);
    assert.deepEqual(opened.envelope, envelope);
    assert.equal(Buffer.from(opened.body).toString(), body.toString());
  }
  const largest = sealEnvelope(envelope, new Uint8Array(bodyBytesMax), secret);
  assert.ok(largest.length <= controlMessageBytesMax);
  assert.equal(openEnvelope(largest, secret).body.length, bodyBytesMax);
});

test('S25: without the secret nothing is believed, and with one nothing unsigned', () => {
  const refused = { name: 'BadMessage', message: 'signature' };
  assert.throws(() => openEnvelope(sealEnvelope(envelope, body, ''), secret), refused);
  assert.throws(() => openEnvelope(sealEnvelope(envelope, body, 'another secret'), secret), refused);
  assert.throws(() => openEnvelope(sealEnvelope(envelope, body, secret), ''), refused);
});

test('S25: a signed message with any byte changed is refused', () => {
  const sealed = sealEnvelope(envelope, body, secret);
  for (let i = 0; i < sealed.length; i += 1) {
    const forged = Uint8Array.from(sealed);
    forged[i] = (forged[i] ?? 0) ^ 0x01;
    assert.throws(() => openEnvelope(forged, secret), BadMessage, `byte ${i}`);
  }
  for (let length = 0; length < sealed.length; length += 1) {
    assert.throws(() => openEnvelope(sealed.subarray(0, length), secret), BadMessage, `length ${length}`);
  }
});

test('S25: what is no envelope is a BadMessage, and nothing else', () => {
  const from = { name: 'a', incarnation: 'x' };
  const good = { from, sequence: 1, topic: 't', kind: 'tell' };
  const headers: unknown[] = [
    ...[null, 1, 'x', [], {}, { ...good, from: {} }, { ...good, from: { name: 'a b', incarnation: 'x' } }],
    ...[
      { ...good, sequence: -1 },
      { ...good, sequence: 1.5 },
      { ...good, sequence: '1' },
      { ...good, kind: 'eval' },
    ],
    ...[
      { ...good, kind: 'ask' },
      { ...good, question: 'q' },
      { ...good, parts: 65 },
      { ...good, part: 1, parts: 1 },
    ],
    ...[
      { ...good, topic: '' },
      { ...good, topic: 'x'.repeat(65) },
      { ...good, to: 5 },
    ],
    JSON.parse('{"__proto__":{"from":{"name":"a","incarnation":"x"},"sequence":1,"topic":"t","kind":"tell"}}'),
  ];
  for (const header of headers) {
    assert.throws(() => openEnvelope(raw(JSON.stringify(header)), ''), BadMessage, JSON.stringify(header));
  }
  assert.throws(() => openEnvelope(raw('{'), ''), BadMessage);
  assert.equal(openEnvelope(raw(JSON.stringify(good)), '').envelope.topic, 't');
});

function raw(header: string): Uint8Array {
  const bytes = Buffer.from(header);
  return Buffer.concat([Buffer.from([1, 0, bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

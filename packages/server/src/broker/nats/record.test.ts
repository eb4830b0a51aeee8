import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeRecord, encodeRecord, publicationsOf, topOf, type LogRecord } from './record.ts';

const record: LogRecord = {
  ...{ id: 'i', keyId: 'k', epoch: 'e.1', previous: 41, floor: 7, ttlMs: 60_000 },
  publications: [
    { time: 1, envelope: null, data: new Uint8Array([1, 2, 3]) },
    { time: 2, envelope: '{"key":"a"}', data: new Uint8Array(0) },
  ],
};

test('a record comes back as it was, with the offsets of its publications', () => {
  const back = decodeRecord(encodeRecord(record));
  assert.deepEqual(back, record);
  assert.equal(topOf(back), 43);
  assert.deepEqual(publicationsOf(back), [
    { data: new Uint8Array([1, 2, 3]), offset: 42, time: 1 },
    { data: new Uint8Array(0), offset: 43, time: 2, key: 'a' },
  ]);
});

test('S25: bytes that are no record are refused, wherever they are cut or changed', () => {
  const good = encodeRecord(record);
  for (let length = 0; length < good.length; length += 1) {
    assert.throws(() => decodeRecord(good.subarray(0, length)), `cut at ${length}`);
  }
  assert.throws(() => decodeRecord(Buffer.concat([good, new Uint8Array(1)])));
  const head = (value: unknown): Uint8Array => {
    const text = Buffer.from(JSON.stringify(value));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length);
    return Buffer.concat([length, text]);
  };
  const right = { v: 1, i: '', e: '', o: 0, f: 0, ttl: 0, p: [] };
  decodeRecord(head(right));
  const wrong = [
    null,
    [],
    { ...right, v: 2 },
    { ...right, o: -1 },
    { ...right, o: 0.5 },
    { ...right, o: 2 ** 60 },
    { ...right, e: 7 },
    { ...right, ttl: 'x' },
    { ...right, p: {} },
    { ...right, p: [7] },
    { ...right, p: [[1, 1, null]] },
    { ...right, p: [[1, 0, 7]] },
  ];
  for (const value of wrong) assert.throws(() => decodeRecord(head(value)), JSON.stringify(value));
});

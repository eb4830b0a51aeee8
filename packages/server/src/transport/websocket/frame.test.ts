import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closeReason, pingFrame, webSocketFrame } from './frame.ts';

test('S19: frames have every byte written, even where the memory held something before', () => {
  for (const length of [0, 1, 125, 126, 65_535, 65_536]) {
    // Whatever the pool held must not show through.
    for (let i = 0; i < 64; i += 1) Buffer.allocUnsafe(4_096).fill(0xaa);
    const bytes = new Uint8Array(length).fill(0x11);
    const wire = Buffer.from(webSocketFrame({ bytes, binary: true }));
    const header = length < 126 ? 2 : length < 65_536 ? 4 : 10;
    assert.equal(wire.length, header + length);
    assert.equal(wire[0], 0x82);
    const told = header === 2 ? wire[1] : header === 4 ? wire.readUInt16BE(2) : Number(wire.readBigUInt64BE(2));
    assert.equal(told, length);
    assert.ok(wire.subarray(header).every((byte) => byte === 0x11));
  }
  assert.deepEqual([...pingFrame(0x01020304)], [0x89, 4, 1, 2, 3, 4]);
});

test('a close reason is cut to 123 bytes, never within a character', () => {
  assert.equal(closeReason('shutdown').toString(), 'shutdown');
  assert.equal(closeReason('é'.repeat(200)).length, 122);
});

import assert from 'node:assert/strict';
import test from 'node:test';
import { encodeFrame, FrameParser, opcodes } from './frame-parser.ts';

const ofLengths = (...lengths: number[]): Buffer[] => lengths.map((length) => Buffer.alloc(length, 'payload '));
const small = ofLengths(0, 1, 125, 126, 127, 300);
const all = [...small, ...ofLengths(65_535, 65_536, 70_000)];

function collect(): { parser: FrameParser; seen: { opcode: number; payload: Buffer }[] } {
  const seen: { opcode: number; payload: Buffer }[] = [];
  const parser = new FrameParser((opcode, payload) => seen.push({ opcode, payload: Buffer.from(payload) }));
  return { parser, seen };
}

for (const masked of [false, true]) {
  test(`frames of every length form are read at every cut, ${masked ? 'masked' : 'plain'}`, () => {
    for (const step of [1, 2, 3, 7, 1_000, 1_000_000]) {
      // Every cut of a long payload would only copy it, over and over.
      const payloads = step < 1_000 ? small : all;
      const stream = Buffer.concat(payloads.map((payload) => encodeFrame(opcodes.text, payload, masked)));
      const { parser, seen } = collect();
      // One buffer for all reads, as the sockets have it: what the parser keeps must be its own.
      const shared = Buffer.alloc(step);
      for (let at = 0; at < stream.length; at += step) {
        const length = stream.copy(shared, 0, at, at + step);
        parser.push(shared.subarray(0, length));
        shared.fill(0xff);
      }
      assert.equal(seen.length, payloads.length, `cut every ${step} bytes`);
      seen.forEach(({ payload }, i) => assert.ok(payload.equals(payloads[i]!)));
    }
  });
}

test('a mask is taken off', () => {
  const { parser, seen } = collect();
  parser.push(Buffer.from([0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]));
  assert.equal(seen[0]?.payload.toString(), 'Hello');
});

test('a fragment, a compressed frame and a senseless length are errors', () => {
  for (const bytes of [
    [0x01, 0x00],
    [0x80, 0x00],
    [0xc1, 0x00],
    [0x82, 0x7f, 0, 0, 1, 0, 0, 0, 0, 0],
  ]) {
    assert.throws(() => collect().parser.push(Buffer.from(bytes)), RangeError);
  }
});

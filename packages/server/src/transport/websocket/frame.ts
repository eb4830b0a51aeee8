import type { OutboundFrame } from '../transport.ts';

const finalText = 0x81;
const finalBinary = 0x82;
const finalPing = 0x89;

/**
 * One whole, unmasked message (RFC 6455 section 5.2). Header and payload lie in one piece, so that a
 * frame costs one entry in the vector of a write. Every byte is written: nothing of an older buffer
 * shows (S19).
 */
export function webSocketFrame(frame: OutboundFrame): Uint8Array {
  const length = frame.bytes.length;
  const headerLength = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const wire = Buffer.allocUnsafe(headerLength + length);
  wire[0] = frame.binary ? finalBinary : finalText;
  if (headerLength === 2) {
    wire[1] = length;
  } else if (headerLength === 4) {
    wire[1] = 126;
    wire.writeUInt16BE(length, 2);
  } else {
    wire[1] = 127;
    wire.writeUInt32BE(Math.floor(length / 0x1_0000_0000), 2);
    wire.writeUInt32BE(length >>> 0, 6);
  }
  wire.set(frame.bytes, headerLength);
  return wire;
}

/** A ping whose payload is a number; the pong brings it back (section 5.5.3). */
export function pingFrame(number: number): Uint8Array {
  const wire = Buffer.allocUnsafe(6);
  wire[0] = finalPing;
  wire[1] = 4;
  wire.writeUInt32BE(number, 2);
  return wire;
}

/** Payload of a Close frame less its two bytes of code. */
const closeReasonBytesMax = 123;

/** A reason cut to fit, never within a character. */
export function closeReason(text: string): Buffer {
  const bytes = Buffer.alloc(closeReasonBytesMax);
  return bytes.subarray(0, new TextEncoder().encodeInto(text, bytes).written);
}

import type { IncomingMessage } from 'node:http';

/** Bytes that are read and forgotten, so that a caller who sends too much hears why. */
const discardedBytesMax = 16 * 1024 * 1024;

/**
 * The whole body, or `too-large`. What is too large is not kept. Rejects where the peer goes away; the
 * time that a body may take is the HTTP server's to bound.
 */
export async function readBody(request: IncomingMessage, bytesMax: number): Promise<Uint8Array | 'too-large'> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const announced = Number(request.headers['content-length'] ?? '0');
  let isTooLarge = announced > bytesMax;
  if (announced > discardedBytesMax) return 'too-large';
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) isTooLarge = true;
    if (bytes > discardedBytesMax) return 'too-large';
    if (isTooLarge) chunks.length = 0;
    else chunks.push(chunk);
  }
  if (isTooLarge) return 'too-large';
  const whole = Buffer.concat(chunks);
  // A plain view: slices of a Buffer would share its memory.
  return new Uint8Array(whole.buffer, whole.byteOffset, whole.length);
}

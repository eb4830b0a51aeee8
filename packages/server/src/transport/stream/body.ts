import type { IncomingMessage } from 'node:http';

/** Why a body was not read to its end. */
export type BodyFault = 'too large' | 'cut off';

/**
 * The whole body, of at most `bytesMax`. Beyond that nothing more is kept; the caller answers and ends
 * the connection, because the rest would be read as the next request. How long it may take is bounded
 * by the HTTP server. Never rejects.
 */
export function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer | BodyFault> {
  const told = Number(request.headers['content-length'] ?? 0);
  if (told > bytesMax) return Promise.resolve('too large');
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= bytesMax) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      request.pause();
      resolve('too large');
    });
    request.on('end', () => {
      resolve(Buffer.concat(chunks));
    });
    request.on('error', () => {
      resolve('cut off');
    });
    request.on('close', () => {
      resolve('cut off');
    });
  });
}

import type { Socket } from 'node:net';

/**
 * Resets a connection. One that is just ending is closed instead: its handle refuses a reset, is never closed then,
 * and the process spins for ever when it should exit (Node 24.21, `end()` and `resetAndDestroy()` behind it).
 */
export function resetSocket(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}

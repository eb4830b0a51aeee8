import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { Socket, type AddressInfo } from 'node:net';
import { encodeFrame, FrameParser, opcodes } from '../load/frame-parser.ts';

/**
 * The limit to compare with: `node:http` hands over the upgraded sockets, and every message goes to
 * all of them as one shared buffer, with a plain `write` each. No library, no session, no rights.
 */
const sockets = new Set<Socket>();
const server = createServer();

server.on('upgrade', (request, socket) => {
  if (!(socket instanceof Socket)) return;
  const accept = createHash('sha1')
    .update(`${request.headers['sec-websocket-key'] ?? ''}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64');
  socket.setNoDelay(true);
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  const parser = new FrameParser(broadcast);
  sockets.add(socket);
  socket.on('data', (chunk: Buffer) => parser.push(chunk));
  socket.on('error', () => {});
  socket.on('close', () => sockets.delete(socket));
});

function broadcast(opcode: number, payload: Buffer): void {
  if (opcode !== opcodes.text) return;
  const frame = encodeFrame(opcode, payload, false);
  for (const socket of sockets) socket.write(frame);
}

server.listen({ port: 0, host: '127.0.0.1', backlog: 511 }, () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ type: 'listening', url: `http://127.0.0.1:${port}` })}\n`);
});

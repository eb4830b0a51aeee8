import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

/** What most people would write first: the `ws` library, and a loop that sends every message to all. */
const server = new WebSocketServer({ port: 0, host: '127.0.0.1', backlog: 511, perMessageDeflate: false });

server.on('connection', (socket) => {
  socket.on('error', () => {});
  socket.on('message', (data) => {
    // As text from a string would be encoded once per receiver; the bytes are shared.
    for (const each of server.clients) each.send(data, { binary: false });
  });
});
server.on('listening', () => {
  const { port } = server.address() as AddressInfo;
  process.stdout.write(`${JSON.stringify({ type: 'listening', url: `http://127.0.0.1:${port}` })}\n`);
});

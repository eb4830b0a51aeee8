import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe } from 'node:test';
import {
  certificatesMissing,
  closePayload,
  HostileWebSocket,
  opcodes,
  rawFrame,
  TestAuthority,
  transportConformance,
  type TransportPeer,
  type TransportUnderTest,
} from '@tutti/testkit';
import { testFolder } from '@tutti/testkit/test-settings';
import { SystemClock } from '../../runtime/system-clock.ts';
import { nullTelemetry } from '../../telemetry/null-telemetry.ts';
import { protobufSubprotocol } from './handshake.ts';
import { WebSocketTransport } from './websocket-transport.ts';

async function create(tls?: { readonly cert: Buffer; readonly key: Buffer }): Promise<TransportUnderTest> {
  const transport = new WebSocketTransport(
    { closeTimeoutMs: 500 },
    { clock: new SystemClock(), telemetry: nullTelemetry },
  );
  const server = tls === undefined ? createServer() : createSecureServer(tls);
  const sockets: HostileWebSocket[] = [];
  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => {});
    if (transport.handleUpgrade(request, socket, head) !== undefined) socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    transport,
    codecs: ['json', 'protobuf'],
    confirms: 'peer',
    frameBytesMax: 64 * 1024,
    async connect(codec) {
      const headers = codec === 'json' ? {} : { 'Sec-WebSocket-Protocol': protobufSubprotocol };
      const socket = await HostileWebSocket.open((server.address() as AddressInfo).port, {
        headers,
        overTls: tls !== undefined,
      });
      socket.answersPings = true;
      sockets.push(socket);
      return peerOf(socket, codec === 'json' ? opcodes.text : opcodes.binary);
    },
    async dispose() {
      for (const socket of sockets) socket.destroy();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

function peerOf(socket: HostileWebSocket, opcode: number): TransportPeer {
  return {
    send: (frame) => {
      socket.send({ opcode, payload: frame });
    },
    sendPart: (bytes) => {
      socket.write(rawFrame({ opcode, payload: bytes }).subarray(0, 3));
    },
    next: async () => {
      const frame = await socket.next();
      return frame?.opcode === opcode ? frame.payload : undefined;
    },
    closedWith: () => socket.closeFrame(),
    close: (code, reason) => {
      socket.send({ opcode: opcodes.close, payload: closePayload(code, reason) });
      socket.socket.end();
    },
    vanish: () => {
      socket.reset();
    },
    pause: () => {
      socket.pause();
    },
    resume: () => {
      socket.resume();
    },
  };
}

transportConformance('WebSocket', () => create());

const missing = await certificatesMissing();
describe('over TLS', { skip: missing ?? false }, () => {
  transportConformance('WebSocket over TLS', async () => {
    const folder = await testFolder();
    const { certFile, keyFile } = (await TestAuthority.make(folder.path)).issue();
    const tls = { cert: readFileSync(certFile), key: readFileSync(keyFile) };
    await folder.remove();
    return create(tls);
  });
});

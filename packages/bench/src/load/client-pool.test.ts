import assert from 'node:assert/strict';
import { on, once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import test, { type TestContext } from 'node:test';
import { ClientPool } from './client-pool.ts';
import { encodeFrame, FrameParser, opcodes } from './frame-parser.ts';
import type { LoadTarget } from './messages.ts';

const secret = 'a secret of this test';
const frame = (text: string): Buffer => encodeFrame(opcodes.text, Buffer.from(text), false);

/** A server of one connection that does as it is told. `first` is written right behind the handshake. */
async function serve(t: TestContext, answer: string, first: Buffer): Promise<{ server: Server; target: LoadTarget }> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write(Buffer.concat([Buffer.from(answer), first]));
      const parser = new FrameParser((opcode, payload) => server.emit('message', opcode, payload.toString(), socket));
      socket.on('data', (chunk: Buffer) => parser.push(chunk));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { server, target: { host: '127.0.0.1', port: address.port, path: '/' } };
}

const upgraded = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n';

test('a client connects and subscribes in one frame, answers pings of both kinds, and hands on the rest', async (t) => {
  const { server, target } = await serve(t, upgraded, Buffer.alloc(0));
  const messages: string[] = [];
  const pool = new ClientPool({ ...target, tutti: { secret, channel: 'a:b' } }, (_, payload) => {
    messages.push(payload.toString());
  });
  t.after(() => pool.close());
  const sent = on(server, 'message') as AsyncIterator<[number, string, Socket]>;
  const next = async (): Promise<[number, string, Socket]> => (await sent.next()).value as [number, string, Socket];
  const connecting = pool.connect(1, 41, 1);
  const [, commands, socket] = await next();
  const [connect, subscribe] = commands.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
  const token = (connect?.['connect'] as { token: string }).token.split('.')[1] ?? '';
  assert.equal((JSON.parse(Buffer.from(token, 'base64url').toString()) as { sub: string }).sub, 'u41');
  assert.deepEqual(subscribe, { id: 2, subscribe: { channel: 'a:b' } });
  socket.write(frame('{"id":1,"connect":{"client":"x"}}\n{"id":2,"subscribe":{}}'));
  await connecting;
  socket.write(Buffer.concat([frame('{}'), frame('{"push":{}}'), encodeFrame(opcodes.ping, Buffer.from('p'), false)]));
  assert.deepEqual((await next()).slice(0, 2), [opcodes.text, '{}']);
  assert.deepEqual((await next()).slice(0, 2), [opcodes.pong, 'p']);
  assert.deepEqual(messages, ['{"push":{}}']);
});

test('a refused handshake, an error and a close are failures that say why', async (t) => {
  const close = encodeFrame(opcodes.close, Buffer.from([0x0b, 0xbc, 0x62, 0x79, 0x65]), false);
  const cases = [
    ['HTTP/1.1 503 Service Unavailable\r\n\r\n', Buffer.alloc(0), /refused: HTTP\/1.1 503/],
    [upgraded, frame('{"id":1,"error":{"code":101,"message":"unauthorized"}}'), /101 unauthorized/],
    [upgraded, close, /closed by the server with 3004 bye/],
  ] as const;
  for (const [answer, first, expected] of cases) {
    const { target } = await serve(t, answer, first);
    const pool = new ClientPool({ ...target, tutti: { secret } }, () => {});
    await assert.rejects(pool.connect(1, 0, 1), expected);
    pool.close();
  }
});

test('a connection that ends later is noticed', async (t) => {
  const { server, target } = await serve(t, upgraded, Buffer.alloc(0));
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const pool = new ClientPool(target, () => {});
  await pool.connect(1, 0, 1);
  pool.check();
  const [socket] = await accepted;
  const ended = new Promise<void>((resolve) => {
    const closed = pool.closed.bind(pool);
    pool.closed = (connection, why) => {
      closed(connection, why);
      resolve();
    };
  });
  socket.destroy();
  await ended;
  assert.throws(() => pool.check(), /connection 0 \(ready\)/);
});

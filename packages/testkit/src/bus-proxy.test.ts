import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { BusProxy } from './bus-proxy.ts';
import { eventually } from './eventually.ts';

const timeout = 30_000;

/** A server that says what the test says, and a client that comes by the proxy. */
async function setup(
  t: TestContext,
): Promise<{ proxy: BusProxy; server: Socket; client: Socket; heard: () => string }> {
  const listener = createServer();
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const proxy = await BusProxy.start({ wire: 'nats', target: listener.address() as AddressInfo });
  const accepted = once(listener, 'connection');
  const client = connect(proxy.port, '127.0.0.1');
  const [server] = (await accepted) as [Socket];
  let text = '';
  client.on('data', (chunk: Buffer) => (text += chunk.toString()));
  for (const socket of [client, server]) socket.on('error', () => undefined);
  t.after(async () => {
    await proxy.close();
    server.destroy();
    listener.close();
  });
  return { proxy, server, client, heard: () => text };
}

function message(subject: string, payload: string): string {
  return `MSG ${subject} 1 ${payload.length}\r\n${payload}\r\n`;
}

test(
  'messages of chosen topics are lost and counted, all else arrives, and after healing those, too',
  { timeout },
  async (t) => {
    const { proxy, server, client, heard } = await setup(t);
    proxy.lose((topic) => topic.startsWith('hint'));
    server.write(
      message('hint.a', '1') + message('live', '2') + message('hint.b', '3') + message('hint.a', '4') + 'PONG\r\n',
    );
    await eventually(() => heard().endsWith('PONG\r\n'));
    assert.equal(heard(), `${message('live', '2')}PONG\r\n`);
    assert.deepEqual(
      [...proxy.lost],
      [
        ['hint.a', 2],
        ['hint.b', 1],
      ],
    );
    assert.equal(
      proxy.lostOf((topic) => topic === 'hint.a'),
      2,
    );
    proxy.heal();
    server.write(message('hint.a', '5'));
    await eventually(() => heard().endsWith(message('hint.a', '5')));
    let asked = '';
    server.on('data', (chunk: Buffer) => (asked += chunk.toString()));
    client.write('PUB hint.a 1\r\n6\r\n');
    await eventually(() => asked === 'PUB hint.a 1\r\n6\r\n');
  },
);

test('who ends a connection ends it for the other, whichever it is', { timeout }, async (t) => {
  const first = await setup(t);
  first.server.end();
  await once(first.client, 'close');
  const second = await setup(t);
  second.client.destroy();
  second.server.resume();
  await once(second.server, 'close');
});

test('a slow reader misses nothing, the last words before the end included', { timeout }, async (t) => {
  const { server, client, heard } = await setup(t);
  client.pause();
  const big = message('live', 'x'.repeat(256 * 1024));
  const count = 100;
  for (let i = 0; i < count; i += 1) server.write(big);
  server.end('PONG\r\n');
  client.resume();
  await once(client, 'close');
  assert.ok(heard() === `${big.repeat(count)}PONG\r\n`, `${heard().length} bytes came`);
});

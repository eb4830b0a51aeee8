import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { eventually } from './eventually.ts';
import { startFaultProxy, type FaultProxy, type Faults } from './fault-proxy.ts';

const timeout = 30_000;

/** One end of a connection: all that came, in which pieces, and how it ended. */
class End {
  readonly socket: Socket;
  readonly pieces: Buffer[] = [];
  ended = false;
  closed = false;
  error = '';

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay();
    socket.on('data', (piece: Buffer) => this.pieces.push(piece));
    socket.on('end', () => (this.ended = true));
    socket.on('error', (error: NodeJS.ErrnoException) => (this.error = error.code ?? error.message));
    socket.on('close', () => (this.closed = true));
  }

  get bytes(): Buffer {
    return Buffer.concat(this.pieces);
  }
}

interface Setup {
  readonly proxy: FaultProxy;
  /** The target's ends, in the order they were opened. */
  readonly targets: End[];
  open(): Promise<{ client: End; target: End }>;
}

async function setup(context: TestContext, faults: Faults = {}): Promise<Setup> {
  const targets: End[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => targets.push(new End(socket)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const proxy = await startFaultProxy({ target: { port: (server.address() as AddressInfo).port }, seed: 7, faults });
  const clients: End[] = [];
  context.after(async () => {
    for (const { socket } of [...clients, ...targets]) socket.destroy();
    await proxy.close();
    server.close();
  });
  const open = async (): Promise<{ client: End; target: End }> => {
    const before = targets.length;
    const client = new End(connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true }));
    clients.push(client);
    await eventually(() => targets.length > before, { what: 'the target' });
    return { client, target: targets[before] as End };
  };
  return { proxy, targets, open };
}

test('without faults bytes pass both ways, in order, and ends are passed on', { timeout }, async (context) => {
  const { open, proxy } = await setup(context);
  const { client, target } = await open();
  const large = Buffer.alloc(3_000_000, 'abcdefghij');
  client.socket.write(large);
  target.socket.end(large);
  await eventually(() => target.bytes.length === large.length && client.ended);
  assert.ok(target.bytes.equals(large) && client.bytes.equals(large));
  client.socket.end();
  await eventually(() => target.ended && proxy.connections === 0);
  assert.deepEqual([client.error, target.error], ['', '']);
});

test('latency holds bytes back, jitter keeps their order', { timeout }, async (context) => {
  const { open } = await setup(context, { latencyMs: 60, jitterMs: 40 });
  const { client, target } = await open();
  const begun = performance.now();
  for (let i = 0; i < 50; i++) {
    client.socket.write(`${i},`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await eventually(() => target.bytes.length > 0);
  // Bytes may not come early; how late they come is the machine's affair.
  assert.ok(performance.now() - begun >= 59);
  const expected = Array.from({ length: 50 }, (_, i) => `${i},`).join('');
  await eventually(() => target.bytes.length === expected.length);
  assert.equal(target.bytes.toString(), expected);
});

test('slices of one byte arrive one by one', { timeout }, async (context) => {
  const { open } = await setup(context, { sliceBytes: 1 });
  const { client, target } = await open();
  client.socket.write('sliced to pieces');
  await eventually(() => target.bytes.toString() === 'sliced to pieces');
  assert.ok(target.pieces.length > 1);
});

for (const blackHole of ['up', 'down', 'both'] as const) {
  test(
    `black hole ${blackHole}: nothing passes that way, ends and resets included, and nobody is told`,
    { timeout },
    async (context) => {
      const { open, proxy } = await setup(context);
      const { client, target } = await open();
      proxy.set({ blackHole });
      client.socket.write('up');
      target.socket.write('down');
      const isTaken = (way: 'up' | 'down', at: End, text: string): boolean =>
        blackHole === way || blackHole === 'both' ? proxy.swallowed(way) === text.length : at.bytes.toString() === text;
      await eventually(() => isTaken('up', target, 'up') && isTaken('down', client, 'down'));
      proxy.heal();
      client.socket.write('U');
      target.socket.write('D');
      await eventually(() => client.bytes.toString().endsWith('D') && target.bytes.toString().endsWith('U'));
      assert.equal(target.bytes.toString(), blackHole === 'down' ? 'upU' : 'U');
      assert.equal(client.bytes.toString(), blackHole === 'up' ? 'downD' : 'D');
      proxy.set({ blackHole: 'both' });
      client.socket.resetAndDestroy();
      const other = await open();
      other.client.socket.destroy();
      await eventually(() => other.client.closed);
      assert.deepEqual([target.ended, target.closed, target.error], [false, false, '']);
    },
  );
}

test('reset: both sides see it', { timeout }, async (context) => {
  const { open, proxy } = await setup(context);
  const { client, target } = await open();
  proxy.resetAll();
  await eventually(() => client.closed && target.closed);
  assert.deepEqual([client.error, target.error], ['ECONNRESET', 'ECONNRESET']);
  await eventually(() => proxy.connections === 0);
});

test('a reset by one side reaches the other', { timeout }, async (context) => {
  const { open } = await setup(context);
  const { client, target } = await open();
  client.socket.resetAndDestroy();
  await eventually(() => target.closed);
  assert.equal(target.error, 'ECONNRESET');
});

test('half-close: one way ends, the other goes on', { timeout }, async (context) => {
  const { open, proxy } = await setup(context);
  const { client, target } = await open();
  proxy.halfClose('up');
  await eventually(() => target.ended);
  target.socket.write('still here');
  await eventually(() => client.bytes.toString() === 'still here');
  assert.equal(client.ended, false);
});

for (const direction of ['up', 'down'] as const) {
  test(`cut after n bytes ${direction}: exactly so many arrive, then a reset`, { timeout }, async (context) => {
    const { open } = await setup(context, { cutAfter: { direction, bytes: 1_234 } });
    const { client, target } = await open();
    const [from, to] = direction === 'up' ? [client, target] : [target, client];
    from.socket.write(Buffer.alloc(1_000));
    await eventually(() => to.bytes.length === 1_000);
    from.socket.write(Buffer.alloc(1_000));
    await eventually(() => from.closed && to.closed);
    assert.equal(from.error, 'ECONNRESET');
    // A reset may overtake the last bytes in the receiver's kernel, but never lets more through.
    assert.ok(to.bytes.length === 1_234 || to.bytes.length === 1_000, String(to.bytes.length));
  });
}

test('refuse: new connections are reset, living ones stay', { timeout }, async (context) => {
  const { open, proxy, targets } = await setup(context);
  const { client, target } = await open();
  proxy.set({ refuse: true });
  const refused = new End(connect(proxy.port, '127.0.0.1'));
  await eventually(() => refused.closed);
  assert.equal(refused.error, 'ECONNRESET');
  client.socket.write('x');
  await eventually(() => target.bytes.length === 1);
  assert.equal(targets.length, 1);
});

test('rate: bytes pass no faster, and the sender is held back', { timeout }, async (context) => {
  const { open, proxy } = await setup(context, { bytesPerSecond: 20_000 });
  const { client, target } = await open();
  const begun = performance.now();
  client.socket.write(Buffer.alloc(16 * 1024 * 1024));
  await eventually(() => target.bytes.length >= 5_000);
  const passed = proxy.passed('up');
  const seconds = (performance.now() - begun) / 1_000;
  assert.ok(passed <= 20_000 * seconds + 1_000, `${passed} bytes in ${seconds} s`);
  assert.ok(client.socket.writableLength > 0, 'the proxy does not take in what it cannot pass on');
  proxy.heal();
  await eventually(() => target.bytes.length === 16 * 1024 * 1024);
});

test('a reset behind an end leaves nothing that keeps the process from its exit', async () => {
  const source = `
    import { createServer, connect } from 'node:net';
    import { resetSocket } from ${JSON.stringify(new URL('./reset-socket.ts', import.meta.url).href)};
    const server = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1', () => {
      const socket = connect(server.address().port, '127.0.0.1', () => {
        socket.end();
        resetSocket(socket);
        server.close();
      });
    });`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], { stdio: 'ignore', timeout: 20_000 });
  const [code] = (await once(child, 'exit')) as [number | null];
  assert.equal(code, 0);
});

// long on purpose: one flat list of what peers may do, and what becomes of them
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import {
  closePayload,
  eventually,
  HostileWebSocket,
  opcodes,
  rawExchange,
  rawFrame,
  upgradeRequest,
  VirtualClock,
} from '@tutti/testkit';
import { disconnects } from '@tutti/protocol';
import { WebSocket } from 'ws';
import type { Clock } from '../../core/clock.ts';
import { HttpServer } from '../../http/http-server.ts';
import { SystemClock } from '../../runtime/system-clock.ts';
import { Counters } from '../../telemetry/counters.ts';
import { nullLog } from '../../telemetry/null-telemetry.ts';
import type { ClosedReason, Connection } from '../transport.ts';
import { WebSocketTransport, type WebSocketOptions } from './websocket-transport.ts';

const path = '/connection/websocket';
const timeout = 30_000;

async function start(context: TestContext, options: Partial<WebSocketOptions> = {}, clock: Clock = new SystemClock()) {
  const counters = new Counters(nullLog);
  const transport = new WebSocketTransport({ closeTimeoutMs: 500, ...options }, { clock, telemetry: counters });
  const connections: Connection[] = [];
  const received: string[] = [];
  const reasons: ClosedReason[] = [];
  transport.listen((connection) => {
    connections.push(connection);
    return {
      receive: (frame) => void received.push(Buffer.from(frame).toString()),
      confirmed() {},
      closed: (reason) => void reasons.push(reason),
    };
  });
  const upgrades = new Map([[path, transport]]);
  const http = new HttpServer({ host: '127.0.0.1', port: 0, upgrades }, { clock: new SystemClock(), log: nullLog });
  await http.listen();
  context.after(async () => {
    for (const connection of connections) connection.terminate();
    await http.close();
  });
  return { transport, connections, received, reasons, counters, port: http.port };
}

async function closeCodeAfter(port: number, bytes: Uint8Array): Promise<number | undefined> {
  const peer = await HostileWebSocket.open(port);
  peer.write(bytes);
  const told = await peer.closeFrame();
  peer.destroy();
  return told?.code;
}

test('the ws client connects, talks and closes, in JSON and in Protobuf', { timeout }, async (context) => {
  const { port, connections, received, reasons, counters } = await start(context);
  for (const subprotocol of [undefined, 'centrifuge-protobuf']) {
    const client = new WebSocket(`ws://127.0.0.1:${port}${path}`, subprotocol, { perMessageDeflate: true });
    await once(client, 'open');
    assert.equal(client.protocol, subprotocol ?? '');
    assert.equal(client.extensions, '', 'S16: no compression, even when asked for');
    const connection = connections.at(-1);
    assert.equal(connection?.codec.name, subprotocol === undefined ? 'json' : 'protobuf');
    client.send(subprotocol === undefined ? 'text' : Buffer.from('bytes'));
    await eventually(() => received.length > 0, { what: 'the frame' });
    const message = once(client, 'message');
    connection?.send([{ bytes: Buffer.from('back'), binary: subprotocol !== undefined }]);
    const [data, isBinary] = (await message) as [Buffer, boolean];
    assert.deepEqual([data.toString(), isBinary], ['back', subprotocol !== undefined]);
    client.close(4_002, 'bye');
    await eventually(() => reasons.length === 1, { what: 'closed' });
    assert.deepEqual(reasons.splice(0), [{ code: 4_002, reason: 'bye', byPeer: true }]);
    received.length = 0;
  }
  assert.equal(counters.snapshot().bugs, 0);
});

test('S1, S2, S4: hostile handshakes get an error and the end, never status 101', { timeout }, async (context) => {
  const { port, connections } = await start(context);
  const frame = rawFrame({ opcode: opcodes.text, payload: '{}' }).toString('latin1');
  const hostile: [string, number][] = [
    [upgradeRequest({ headers: { 'Sec-WebSocket-Version': '7' } }), 426],
    [upgradeRequest({ headers: { 'Sec-WebSocket-Version': null } }), 426],
    [upgradeRequest({ headers: { 'Sec-WebSocket-Key': 'x' } }), 400],
    [
      upgradeRequest({ headers: { 'Sec-WebSocket-Key': ['dGhlIHNhbXBsZSBub25jZQ==', 'dGhlIHNhbXBsZSBub25jZQ=='] } }),
      400,
    ],
    [upgradeRequest({ headers: { Upgrade: 'h2c' } }), 400],
    [upgradeRequest({ headers: { 'Content-Length': '5' } }) + 'hello', 400],
    [upgradeRequest({ headers: { 'Transfer-Encoding': 'chunked' } }) + '0\r\n\r\n', 400],
    [upgradeRequest({ headers: { 'Transfer-Encoding': 'chunked', 'Content-Length': '3' } }) + '0\r\n\r\n', 400],
    [upgradeRequest({ headers: { Host: null } }), 400],
    [upgradeRequest({ headers: { Host: ['a', 'b'] } }), 400],
    [upgradeRequest({ host: 'a b' }), 400],
    [upgradeRequest({ headers: { Origin: 'http://evil.example' } }), 403],
    [upgradeRequest({ headers: { Origin: 'null' } }), 403],
    [upgradeRequest({ headers: { Origin: 'http://[' } }), 403],
    [upgradeRequest({ method: 'POST' }), 405],
    [upgradeRequest({ path: '/elsewhere' }), 404],
    [upgradeRequest({ path: '/%' }), 404],
    [upgradeRequest({ path: '/connection/websocket/' }), 404],
    [upgradeRequest({ headers: { 'X-Large': 'x'.repeat(9_000) } }), 431],
    [upgradeRequest().replace('HTTP/1.1', 'HTTP/1.0'), 400],
  ];
  for (const [request, status] of hostile) {
    // What follows a refused request must not be read as anything.
    const answer = await rawExchange(port, request + frame + upgradeRequest());
    assert.equal(answer.status, status, request);
    assert.equal(answer.ended, true, request);
    assert.match(answer.text, /^Connection: close\r$/im, request);
    assert.equal(answer.text.match(/^HTTP\/1\.1 \d/gm)?.length, 1, `one answer only: ${answer.text}`);
  }
  assert.match(
    (await rawExchange(port, upgradeRequest({ headers: { 'Sec-WebSocket-Version': '7' } }))).text,
    /Sec-WebSocket-Version: 13\r/,
  );
  // Names that are members of every object; more headers than are kept.
  const odd = `__proto__: x\r\nconstructor: y\r\nSec-WebSocket-Extensions: constructor\r\n${'X-Many: 1\r\n'.repeat(150)}`;
  const crowded = await rawExchange(port, upgradeRequest().replace('Host:', `${odd}Host:`));
  assert.deepEqual([crowded.status, crowded.ended], [431, true]);
  const peer = await HostileWebSocket.open(port);
  await eventually(() => connections.some(({ remoteAddress }) => remoteAddress === '127.0.0.1'));
  peer.destroy();
});

test('frames that come with the request to upgrade are not lost', { timeout }, async (context) => {
  const { port, received } = await start(context);
  void rawExchange(
    port,
    Buffer.concat([Buffer.from(upgradeRequest()), rawFrame({ opcode: opcodes.text, payload: 'early' })]),
  );
  await eventually(() => received.includes('early'));
});

test('S14, S18: what breaks RFC 6455 ends the connection with the code that says why', { timeout }, async (context) => {
  const { port, received, reasons } = await start(context, { frameBytesMax: 1_000 });
  const { text, binary, continuation, ping, close } = opcodes;
  const many = (count: number, piece: Uint8Array): Buffer => Buffer.concat(new Array<Uint8Array>(count).fill(piece));
  const wrong: [string, Buffer, number][] = [
    ['unmasked', rawFrame({ opcode: text, payload: 'x', masked: false }), 1002],
    ['reserved bit', rawFrame({ opcode: text, payload: 'x', rsv: 1 }), 1002],
    ['compressed', rawFrame({ opcode: text, payload: 'x', rsv: 4 }), 1002],
    ['unknown opcode', rawFrame({ opcode: 3, payload: 'x' }), 1002],
    ['continuation of nothing', rawFrame({ opcode: continuation, payload: 'x' }), 1002],
    ['long ping', rawFrame({ opcode: ping, payload: 'x'.repeat(126) }), 1002],
    ['ping in fragments', rawFrame({ opcode: ping, payload: 'x', fin: false }), 1002],
    ['invalid UTF-8', rawFrame({ opcode: text, payload: Buffer.from([0xc3, 0x28]) }), 1007],
    ['lone surrogate', rawFrame({ opcode: text, payload: Buffer.from([0xed, 0xa0, 0x80]) }), 1007],
    ['too large', rawFrame({ opcode: text, payload: 'x'.repeat(1_001) }), 1009],
    ['announced too large', rawFrame({ opcode: text, announcedLength: 2n ** 40n }).subarray(0, 14), 1009],
    ['announced beyond numbers', rawFrame({ opcode: text, announcedLength: 2n ** 63n }).subarray(0, 14), 1009],
    ['too large in fragments', many(3, rawFrame({ opcode: text, payload: 'x'.repeat(400), fin: false })), 1002],
    [
      '65 fragments',
      Buffer.concat([rawFrame({ opcode: text, fin: false }), many(64, rawFrame({ opcode: continuation, fin: false }))]),
      1008,
    ],
    ['close of one byte', rawFrame({ opcode: close, payload: 'x' }), 1002],
    ['close with a reserved code', rawFrame({ opcode: close, payload: closePayload(1006) }), 1002],
    ['binary on JSON', rawFrame({ opcode: binary, payload: '{}' }), 3501],
  ];
  for (const [title, bytes, code] of wrong) assert.equal(await closeCodeAfter(port, bytes), code, title);
  await eventually(() => reasons.length === wrong.length);
  assert.deepEqual(received, []);
  assert.ok(reasons.every(({ byPeer }) => !byPeer));
});

test('a text frame on a Protobuf connection is a bad request', { timeout }, async (context) => {
  const { port } = await start(context);
  const peer = await HostileWebSocket.open(port, { path: `${path}?cf_protocol=protobuf` });
  peer.send({ opcode: opcodes.text, payload: 'x' });
  assert.deepEqual(await peer.closeFrame(), { code: 3501, reason: 'bad request' });
  peer.destroy();
});

test('S14: a message in fragments, byte by byte, with pings between, arrives whole', { timeout }, async (context) => {
  const { port, received } = await start(context);
  const peer = await HostileWebSocket.open(port);
  const bytes = Buffer.concat([
    rawFrame({ opcode: opcodes.text, payload: 'né'.slice(0, 2), fin: false }),
    rawFrame({ opcode: opcodes.ping, payload: 'hello' }),
    rawFrame({ opcode: opcodes.continuation, payload: Buffer.from([0xe2, 0x82]), fin: false }),
    rawFrame({ opcode: opcodes.continuation, payload: Buffer.from([0xac]) }),
  ]);
  for (const byte of bytes) {
    peer.write(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await eventually(() => received.length === 1);
  assert.deepEqual(received, ['né€']);
  const pong = await peer.next();
  assert.deepEqual([pong?.opcode, pong?.payload.toString()], [opcodes.pong, 'hello']);
  peer.destroy();
});

test(
  'S14: a message begun and not finished ends its connection; slow but living ones stay',
  { timeout },
  async (context) => {
    const clock = new VirtualClock();
    const { port, connections, received } = await start(context, { sweepIntervalMs: 5_000 }, clock);
    const stuck = await HostileWebSocket.open(port);
    const fragment = await HostileWebSocket.open(port);
    const idle = await HostileWebSocket.open(port);
    await eventually(() => connections.length === 3);
    stuck.write(rawFrame({ opcode: opcodes.text, payload: 'x'.repeat(90) }).subarray(0, 20));
    fragment.send({ opcode: opcodes.text, payload: 'x', fin: false });
    idle.send({ opcode: opcodes.text, payload: 'whole' });
    // Pings are answered in order, so the answer tells that what stood before it was read.
    fragment.send({ opcode: opcodes.ping });
    assert.equal((await fragment.next())?.opcode, opcodes.pong);
    await eventually(() => received.length === 1);
    clock.advance(10_000);
    assert.equal((await stuck.closeFrame())?.code, 3502);
    assert.equal((await fragment.closeFrame())?.code, 3502);
    clock.advance(60_000);
    idle.send({ opcode: opcodes.text, payload: 'still here' });
    await eventually(() => received.length === 2);
    for (const peer of [stuck, fragment, idle]) peer.destroy();
  },
);

test(
  'S15: a flood of pings ends the connection, whether the peer reads the pongs or not',
  { timeout },
  async (context) => {
    const { port, reasons, connections } = await start(context);
    const flood = Buffer.concat(
      new Array<Buffer>(100).fill(rawFrame({ opcode: opcodes.ping, payload: 'x'.repeat(125) })),
    );
    assert.equal(await closeCodeAfter(port, flood), 3013);
    const deaf = await HostileWebSocket.open(port);
    await eventually(() => connections.length === 2);
    deaf.pause();
    deaf.write(flood);
    await eventually(() => reasons.length === 2);
    assert.ok((connections[1]?.inFlight ?? 0) < 10_000);
    deaf.destroy();
  },
);

test('S15: pings at the pace of keep-alives are answered for ever', { timeout }, async (context) => {
  const clock = new VirtualClock();
  const { port } = await start(context, {}, clock);
  const peer = await HostileWebSocket.open(port);
  for (let i = 0; i < 100; i++) {
    peer.send({ opcode: opcodes.ping });
    assert.equal((await peer.next())?.opcode, opcodes.pong);
    clock.advance(500);
  }
  peer.destroy();
});

test(
  'CON-2, BP-1: beyond the bounds, of the node and of one address, status 503 with Retry-After',
  { timeout },
  async (context) => {
    for (const options of [{ connectionsMax: 3 }, { connectionsPerAddressMax: 3 }]) {
      const { port, transport } = await start(context, options);
      const peers = await Promise.all([1, 2, 3].map(() => HostileWebSocket.open(port)));
      const answer = await rawExchange(port, upgradeRequest());
      assert.equal(answer.status, 503);
      assert.match(answer.text, /^Retry-After: 1\r$/m);
      peers[0]?.destroy();
      await eventually(() => transport.connections === 2);
      peers.push(await HostileWebSocket.open(port));
      for (const peer of peers) peer.destroy();
      await eventually(() => transport.connections === 0);
    }
  },
);

test('S21: X-Forwarded-For is believed from trusted proxies only, from its end', { timeout }, async (context) => {
  const forwarded = { 'X-Forwarded-For': '6.6.6.6, 203.0.113.9, 10.1.2.3' };
  const seenBy = async (trustedProxies: string[]): Promise<string | undefined> => {
    const { port, connections } = await start(context, { trustedProxies });
    const peer = await HostileWebSocket.open(port, { headers: forwarded });
    await eventually(() => connections.length === 1);
    peer.destroy();
    return connections[0]?.remoteAddress;
  };
  assert.equal(await seenBy([]), '127.0.0.1');
  assert.equal(await seenBy(['192.168.0.1']), '127.0.0.1');
  assert.equal(await seenBy(['127.0.0.1']), '10.1.2.3');
  assert.equal(await seenBy(['127.0.0.0/8', '10.0.0.0/8']), '203.0.113.9');
  assert.throws(
    () =>
      new WebSocketTransport(
        { trustedProxies: ['10.0.0.0/33'] },
        { clock: new SystemClock(), telemetry: new Counters() },
      ),
    RangeError,
  );
});

test('S21: the addresses of one IPv6 network are one address to the limits', { timeout }, async (context) => {
  const { port, connections } = await start(context, {
    trustedProxies: ['127.0.0.1'],
    connectionsPerAddressMax: 1,
  });
  const from = (address: string) => HostileWebSocket.open(port, { headers: { 'X-Forwarded-For': address } });
  const first = await from('2001:db8:0:1::1');
  await assert.rejects(from('2001:0db8::1:ffff:0:0:9'), /503/);
  await assert.rejects(from('2001:db8:0:1:1:2:192.0.2.1'), /503/);
  const peers = [await from('2001:db8:0:2::1'), await from('192.0.2.1'), await from('::ffff:192.0.2.2')];
  await eventually(() => connections.length === 4);
  assert.equal(connections[0]?.remoteAddress, '2001:db8:0:1::1');
  first.destroy();
  await eventually(async () => {
    const again = await from('2001:db8:0:1:8::').catch(() => undefined);
    if (again !== undefined) peers.push(again);
    return again !== undefined;
  });
  for (const peer of peers) peer.destroy();
});

test(
  'S15: pongs that nobody asked for end the connection, unless they come at the pace of a sign of life',
  { timeout },
  async (context) => {
    const clock = new VirtualClock();
    const { port, connections } = await start(context, {}, clock);
    const pong = rawFrame({ opcode: opcodes.pong, payload: 'mark' });
    assert.equal(await closeCodeAfter(port, Buffer.concat(new Array<Buffer>(11).fill(pong))), 3013);
    const calm = await HostileWebSocket.open(port);
    await eventually(() => connections.length === 2);
    for (let i = 0; i < 100; i++) {
      calm.write(pong);
      calm.send({ opcode: opcodes.ping });
      assert.equal((await calm.next())?.opcode, opcodes.pong);
      clock.advance(1_000);
    }
    calm.destroy();
  },
);

test(
  'S15: a peer that goes on after its end was told is not read any more, and cut off',
  { timeout },
  async (context) => {
    const clock = new VirtualClock();
    const { port, transport } = await start(context, { closeTimeoutMs: 60_000 }, clock);
    const peer = await HostileWebSocket.open(port);
    peer.write(Buffer.concat(new Array<Buffer>(200).fill(rawFrame({ opcode: opcodes.ping }))));
    assert.equal((await peer.closeFrame())?.code, 3013);
    clock.advance(1_000);
    await peer.ended();
    await eventually(() => transport.connections === 0);
  },
);

test('S21: a connection is held for so long, and what it sent meanwhile is read then', { timeout }, async (context) => {
  const clock = new VirtualClock();
  const { port, connections, received } = await start(context, { sweepIntervalMs: 5_000 }, clock);
  const held = await HostileWebSocket.open(port);
  const other = await HostileWebSocket.open(port);
  await eventually(() => connections.length === 2);
  connections[0]?.hold(1_000);
  connections[0]?.hold(20_000);
  held.send({ opcode: opcodes.text, payload: 'held' });
  clock.advance(19_999);
  other.send({ opcode: opcodes.text, payload: 'other' });
  await eventually(() => received.length === 1);
  assert.deepEqual(received, ['other']);
  clock.advance(1);
  await eventually(() => received.length === 2);
  // A hold ends with the connection: the peer's half of the closing handshake is read.
  connections[0]?.hold(60_000);
  connections[0]?.close(disconnects.shutdown);
  assert.equal((await held.closeFrame())?.code, 3001);
  held.send({ opcode: opcodes.close, payload: closePayload(3001) });
  await held.ended();
  other.destroy();
});

test('S21: a chunk of thousands of frames is acted on in turns', { timeout }, async (context) => {
  const { port, connections, received } = await start(context);
  const flood = await HostileWebSocket.open(port);
  const other = await HostileWebSocket.open(port);
  await eventually(() => connections.length === 2);
  const count = 20_000;
  flood.write(Buffer.concat(new Array<Buffer>(count).fill(rawFrame({ opcode: opcodes.text, payload: '{"id":1}' }))));
  await eventually(() => received.length > 0);
  other.send({ opcode: opcodes.text, payload: 'other' });
  await eventually(() => received.length === count + 1);
  assert.ok(received.indexOf('other') < count, 'the other one waited for the whole flood');
  for (const peer of [flood, other]) peer.destroy();
});

test('BP-1: a peer that ends its side and does not read is terminated', { timeout }, async (context) => {
  const { port, connections, reasons } = await start(context);
  const peer = await HostileWebSocket.open(port);
  await eventually(() => connections.length === 1);
  peer.pause();
  const bytes = Buffer.alloc(64 * 1024, 97);
  const connection = connections[0];
  assert.ok(connection);
  while (connection.inFlight < 1_000_000) connection.send([{ bytes, binary: false }]);
  peer.socket.end();
  await eventually(() => reasons.length === 1, { what: 'closed' });
  peer.destroy();
});

test(
  'S20: 2,000 connections come and go, in every way, and nothing of them is left',
  { timeout: 60_000 },
  async (context) => {
    const { port, transport, reasons } = await start(context);
    const ways: ((peer: HostileWebSocket) => void)[] = [
      (peer) => peer.destroy(),
      (peer) => peer.reset(),
      (peer) => peer.socket.end(),
      (peer) => {
        peer.send({ opcode: opcodes.close, payload: closePayload(1000) });
        peer.socket.end();
      },
    ];
    for (let round = 0; round < 40; round++) {
      const peers = await Promise.all(Array.from({ length: 50 }, () => HostileWebSocket.open(port)));
      peers.forEach((peer, i) => ways[i % ways.length]?.(peer));
      await eventually(() => transport.connections === 0);
      for (const peer of peers) peer.destroy();
    }
    assert.equal(reasons.length, 2_000);
  },
);

test('S16: compression is not granted, however it is asked for', { timeout }, async (context) => {
  const { port } = await start(context);
  for (const offer of [
    'permessage-deflate',
    'permessage-deflate; client_max_window_bits',
    'constructor, permessage-deflate',
  ]) {
    const answer = await rawExchange(port, upgradeRequest({ headers: { 'Sec-WebSocket-Extensions': offer } }));
    assert.equal(answer.status, 101);
    assert.doesNotMatch(answer.text, /sec-websocket-extensions/i);
  }
});

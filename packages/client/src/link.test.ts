import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '@tutti/testkit';
import { FrameBound, type Outgoing } from './frame-bound.ts';
import { jsonCodec } from './json-codec.ts';
import { Link } from './link.ts';
import { protobuf } from './protobuf.ts';
import { FakeServer, type FakeSocket } from './testing/fake-server.ts';

function open(codec = jsonCodec, frames = new FrameBound(100)): { link: Link; socket: FakeSocket; told: unknown[] } {
  const { server, told } = { server: new FakeServer(new VirtualClock()), told: [] as unknown[] };
  const link = new Link(
    { codec, frames, open: () => new server.WebSocket('ws://fake', codec.subprotocol ? [codec.subprotocol] : []) },
    {
      opened: () => told.push('opened'),
      received: (replies) => told.push(replies),
      garbled: () => told.push('garbled'),
      ended: (code, reason) => told.push([code, reason]),
    },
  );
  return { link, socket: server.socket, told };
}

/** A command of so many bytes. */
function command(id: number, bytes: number): Outgoing {
  const part = JSON.stringify({ id, rpc: { method: '' } });
  const padded = part.replace('""', JSON.stringify('x'.repeat(bytes - part.length)));
  return { part: padded, bytes: jsonCodec.sizeOf(padded), id };
}

test('a link tells of its opening, its frames and its end, and of nothing after that', () => {
  const { socket, told } = open();
  socket.open();
  socket.reply({ id: 1 });
  socket.raw('{');
  socket.end(3001, 'shutdown');
  socket.open();
  socket.reply({ id: 2 });
  socket.end(1006);
  assert.deepEqual(told, ['opened', [{ id: 1 }], 'garbled', [3001, 'shutdown']]);
});

test('a socket that ends without a code ended abnormally', () => {
  const { socket, told } = open();
  socket.end(undefined as unknown as number, undefined);
  assert.deepEqual(told, [[1006, '']]);
});

test('a link that was dropped is closed and tells nothing more, even where closing throws', () => {
  const { link, socket, told } = open();
  socket.open();
  link.drop();
  assert.equal(socket.isClosed, true);
  socket.reply({ id: 1 });
  socket.end(1000);
  assert.deepEqual(told, ['opened']);

  const other = open();
  other.socket.close = () => {
    throw new Error('still opening');
  };
  other.link.drop();
  assert.deepEqual(other.told, []);
});

test('the codec names the subprotocol, and frames come as buffers', () => {
  assert.deepEqual(open().socket.protocols, []);
  const { socket } = open(protobuf());
  assert.deepEqual([socket.protocols, socket.binaryType], [['centrifuge-protobuf'], 'arraybuffer']);
});

test('S13: commands are joined while they fit, to the byte; a larger one has a frame of its own', () => {
  const sizes = (bytes: number[]): number[] => {
    const { link, socket } = open();
    link.send(bytes.map((each, i) => command(i + 1, each)));
    assert.equal(socket.commands.length, bytes.length);
    return socket.frames.map(({ length }) => length);
  };
  assert.deepEqual(sizes([50, 49]), [2]);
  assert.deepEqual(sizes([50, 50]), [1, 1]);
  assert.deepEqual(sizes([33, 33, 32, 100, 150, 30, 30]), [3, 1, 1, 2]);
  assert.deepEqual(sizes([]), []);
});

test('the bound is told of each frame: how large, and whose', () => {
  const frames = new FrameBound(100);
  const { link } = open(jsonCodec, frames);
  link.send([command(1, 50), command(2, 40), command(3, 60)]);
  frames.answered(1);
  assert.deepEqual(frames.refused(), undefined, 'the larger one was accepted, and so would the smaller be');
  link.send([command(4, 150), command(5, 30)]);
  assert.deepEqual(frames.refused(), { id: 4 });
  assert.throws(() => frames.check(150), { code: 11 });
  frames.check(149);
});

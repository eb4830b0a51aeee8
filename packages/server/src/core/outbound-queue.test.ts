import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonCodec } from '@tutti/protocol/json';
import type { Connection, OutboundFrame } from '../transport/transport.ts';
import { OutboundQueue } from './outbound-queue.ts';

/** A peer that takes nothing by itself. */
class StuckConnection implements Connection {
  readonly transport = 'stuck';
  readonly codec = jsonCodec;
  readonly remoteAddress = '';
  inFlight = 0;
  readonly writes: number[][] = [];

  send(frames: readonly OutboundFrame[]): void {
    this.writes.push(frames.map((frame) => frame.bytes.length));
    for (const frame of frames) this.inFlight += frame.bytes.length;
  }
  close(): void {}
  terminate(): void {}
}

function frame(bytes: number): OutboundFrame {
  return { bytes: new Uint8Array(bytes), binary: false };
}

test('frames that wait leave together, in one write and in order', () => {
  const connection = new StuckConnection();
  const queue = new OutboundQueue(connection, 1_000, 500);
  for (const bytes of [10, 20, 30]) assert.ok(queue.push(frame(bytes)));
  assert.equal(queue.flush(), 60);
  assert.deepEqual(connection.writes, [[10, 20, 30]]);
  assert.equal(queue.bytes, 0);
});

test('BP-2: no more than the window and one frame is with the transport; the rest waits', () => {
  const connection = new StuckConnection();
  const queue = new OutboundQueue(connection, 10_000, 100);
  for (let i = 0; i < 10; i += 1) queue.push(frame(60));
  queue.flush();
  assert.deepEqual(connection.writes, [[60, 60]]);
  assert.equal(queue.flush(), 0, 'nothing more while the peer takes nothing');
  assert.equal(queue.bytes, 480);
  connection.inFlight = 0;
  queue.flush();
  assert.deepEqual(connection.writes.at(-1), [60, 60]);
});

test('BP-1: at the bound a frame is refused, and what waits stays as it was', () => {
  const queue = new OutboundQueue(new StuckConnection(), 100, 10);
  assert.ok(queue.push(frame(70)));
  assert.equal(queue.push(frame(31)), false);
  assert.equal(queue.bytes, 70);
  assert.ok(queue.push(frame(30)));
});

test('a transport that takes everything at once is given everything at once: it will never say drained', () => {
  const connection = new StuckConnection();
  connection.send = (frames): void => {
    connection.writes.push(frames.map((each) => each.bytes.length));
  };
  const queue = new OutboundQueue(connection, 10_000, 100);
  for (let i = 0; i < 10; i += 1) queue.push(frame(60));
  assert.equal(queue.flush(), 600);
  assert.ok(queue.isEmpty);
});

test('a frame larger than the window, or than the bound, still leaves an empty queue', () => {
  const connection = new StuckConnection();
  const queue = new OutboundQueue(connection, 100, 10);
  assert.ok(queue.push(frame(5_000)));
  assert.equal(queue.flush(), 5_000);
  assert.ok(queue.isEmpty);
});

test('a cleared queue gives nothing more', () => {
  const connection = new StuckConnection();
  const queue = new OutboundQueue(connection, 100, 10);
  queue.push(frame(50));
  queue.clear();
  assert.equal(queue.flush(), 0);
  assert.deepEqual(connection.writes, []);
});

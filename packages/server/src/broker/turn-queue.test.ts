import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TurnQueue, type PendingRead, type PendingWrite } from './turn-queue.ts';

const bounds = { turnWritesMax: 3, turnBytesMax: 100, turnReadsMax: 2 };

function write(channel: string, size: number): PendingWrite {
  const data = new Uint8Array(size).fill(channel.charCodeAt(0));
  return { write: { kind: 'remove', channel }, data, bytes: size, settle: () => {}, fail: () => {} };
}

function read(channel: string): PendingRead {
  return { read: { channel, since: null, limit: 1, bytesMax: null, reverse: false }, settle: () => {}, fail: () => {} };
}

const names = (sent: { writes: readonly PendingWrite[] }): string =>
  sent.writes.map((each) => each.write.channel).join('');

test('writes go in order, cut by count', () => {
  const queue = new TurnQueue(bounds);
  for (const name of 'abcd') queue.addWrite(write(name, 1));
  assert.equal(queue.isFull, true);
  assert.equal(names(queue.take(0, false)), 'abc');
  assert.equal(queue.isFull, false);
  assert.equal(names(queue.take(0, false)), 'd');
  assert.equal(queue.isEmpty, true);
});

test('writes are cut by bytes, and one that is too large goes alone', () => {
  const queue = new TurnQueue(bounds);
  for (const [name, size] of [
    ['a', 60],
    ['b', 40],
    ['c', 1],
    ['d', 500],
    ['e', 1],
  ] as const) {
    queue.addWrite(write(name, size));
  }
  assert.deepEqual(
    [0, 1, 2, 3].map(() => names(queue.take(0, false))),
    ['ab', 'c', 'd', 'e'],
  );
  assert.equal(queue.bytes, 0);
});

test('payloads go as one buffer of their own, without what surrounds a view', () => {
  const queue = new TurnQueue(bounds);
  const large = new Uint8Array(1_000);
  const view = large.subarray(10, 12).fill(9);
  queue.addWrite({ ...write('a', 0), data: view });
  queue.addWrite(write('b', 1));
  const { turn } = queue.take(0, false);
  assert.deepEqual([...turn.payloads], [9, 9, 'b'.charCodeAt(0)]);
  assert.equal(turn.payloads.buffer.byteLength, 3);
});

test('reads ride along, bounded, and a turn may have reads alone', () => {
  const queue = new TurnQueue(bounds);
  queue.addWrite(write('a', 1));
  for (const name of 'xyz') queue.addRead(read(name));
  assert.equal(queue.take(0, false).reads.length, 2);
  const second = queue.take(0, true);
  assert.deepEqual([second.writes.length, second.reads.length, second.turn.sweep], [0, 1, true]);
});

test('reads that found no time go first next time', () => {
  const queue = new TurnQueue(bounds);
  for (const name of 'xyz') queue.addRead(read(name));
  const { reads } = queue.take(0, false);
  queue.putBack(reads.slice(1));
  assert.deepEqual(
    queue.take(0, false).reads.map(({ read: { channel } }) => channel),
    ['y', 'z'],
  );
});

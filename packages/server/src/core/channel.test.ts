import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openNamespace } from '@tutti/testkit/core-node';
import type { LivePublication } from '../broker/broker.ts';
import { Channel, type Recipient } from './channel.ts';
import { fixedLimits } from './limits.ts';

function live(offset: number, previousOffset = offset - 1, bytes = 10): LivePublication {
  return { channel: 'chat:x', epoch: 'e', previousOffset, publication: { data: new Uint8Array(bytes), offset } };
}

function open(): Channel<Recipient> {
  const channel = new Channel<Recipient>('chat:x', openNamespace('chat', { historySize: 10 }));
  channel.state = 'live';
  channel.epoch = 'e';
  return channel;
}

function offsets(found: LivePublication[] | undefined): (number | undefined)[] | undefined {
  return found?.map(({ publication }) => publication.offset);
}

test('DEL-2: the tail answers only what follows without a hole', () => {
  const channel = open();
  for (const each of [live(5), live(6), live(7), live(9, 8), live(10)]) channel.keep(each);
  assert.deepEqual(offsets(channel.tailAfter(4)), [5, 6, 7]);
  assert.deepEqual(offsets(channel.tailAfter(6)), [7]);
  assert.equal(channel.tailAfter(3), undefined, 'older than what is kept');
  assert.equal(channel.tailAfter(7), undefined, '8 was lost');
  assert.deepEqual(offsets(channel.tailAfter(8)), [9, 10]);
  assert.equal(channel.tailAfter(10), undefined, 'nothing follows');
});

test('BP-1: the tail lives only while somebody holds it, and is bounded in count and bytes', () => {
  const channel = open();
  channel.holdTail();
  channel.holdTail();
  for (let n = 1; n <= 2_000; n += 1) channel.keep(live(n));
  assert.equal(channel.tailAfter(2_000 - fixedLimits.tailMax)?.length, fixedLimits.tailMax);
  assert.equal(channel.tailAfter(2_000 - fixedLimits.tailMax - 1), undefined);
  channel.keep(live(2_001, 2_000, fixedLimits.tailBytesMax));
  assert.equal(channel.tailAfter(1_999), undefined, 'one large publication takes the place of many');
  channel.releaseTail();
  assert.equal(channel.tailTop, 2_001);
  channel.releaseTail();
  assert.equal(channel.tailTop, 0);
  assert.equal(channel.isTailHeld, false);
});

test('what waits for the flush is not yet handed over', () => {
  const channel = open();
  channel.live.add({ session: { deliver: () => undefined } });
  channel.top = 7;
  assert.equal(channel.flushedTop, 7);
  channel.enqueue({ channel: 'chat:x', join: { info: { user: 'a', client: 'c' } } });
  for (const offset of [8, 9]) channel.enqueue({ channel: 'chat:x', pub: { data: new Uint8Array(0), offset } });
  channel.top = 9;
  assert.equal(channel.flushedTop, 7);
  channel.flush();
  assert.equal(channel.flushedTop, 9);
});

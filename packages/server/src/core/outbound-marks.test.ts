import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonCodec } from '@tutti/protocol/json';
import { SeededRandom } from '@tutti/testkit/seeded-random';
import { Marks } from '../transport/marks.ts';
import type { Connection, OutboundFrame } from '../transport/transport.ts';
import { OutboundQueue, type QueueOwner } from './outbound-queue.ts';

/** A peer that answers one mark after another, when the test says so: on a stream, or on a WebSocket. */
class MarkedConnection implements Connection {
  readonly transport = 'marked';
  readonly codec = jsonCodec;
  readonly remoteAddress = '';
  readonly protocolPings?: NonNullable<Connection['protocolPings']>;
  readonly marks = new Marks();
  nowMs = 0;

  constructor(isStream: boolean) {
    if (isStream) this.protocolPings = { waiting: 0, begin: () => undefined, answered: () => false };
  }
  get inFlight(): number {
    return this.marks.unconfirmed;
  }
  send(frames: readonly OutboundFrame[]): void {
    for (const { bytes } of frames) this.marks.sent(bytes.length);
  }
  mark(): void {
    this.marks.add(this.nowMs);
  }
  hold(): void {}
  close(): void {}
  terminate(): void {}
}

const owner: QueueOwner = {
  intervalOf: () => 0,
  fellBehind: () => undefined,
  tooSlow: () => assert.fail('too slow'),
  skipped: () => undefined,
};

for (const isStream of [false, true]) {
  test(`BP-2: what waits always leaves in the end, however late answers are: ${isStream ? 'a stream' : 'WebSocket'}`, () => {
    for (let seed = 1; seed <= 60; seed += 1) {
      const random = new SeededRandom(seed);
      const connection = new MarkedConnection(isStream);
      const queue = new OutboundQueue(connection, owner, { outboundBytesMax: 1e9, inFlightBytesMax: 256 * 1024 });
      const push = (): void => {
        const bytes = Buffer.alloc(1 + Math.floor(random.next() * random.next() * 60_000), ' ');
        queue.push({ bytes, binary: false });
      };
      for (let i = 0; i < 300; i += 1) {
        while (queue.bytes < 400_000) push();
        queue.flush(connection.nowMs);
        const mark = connection.marks.takeOldest();
        assert.ok(mark, `seed ${seed}: ${connection.inFlight} bytes on their way, ${queue.bytes} wait, and no mark`);
        connection.nowMs += random.next() < 0.1 ? 3_000 : 5;
        queue.confirmed(connection.nowMs - mark.sentAtMs, mark.aheadBytes, connection.nowMs);
      }
    }
  });
}

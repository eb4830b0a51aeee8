import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '@tutti/testkit';
import { CoreNode } from '@tutti/testkit/core-node';
import type { MemoryConnection } from '@tutti/testkit/memory-connection';

async function stalledReader(options: { channels: number; bytes: number; outboundBytesMax: number }): Promise<{
  core: CoreNode;
  clock: VirtualClock;
  peer: MemoryConnection;
  names: string[];
}> {
  const clock = new VirtualClock();
  const core = await CoreNode.start({
    clock,
    namespaces: { chat: { historySize: 2_000 } },
    limits: { outboundBytesMax: options.outboundBytesMax, inFlightBytesMax: 16 * 1024 },
  });
  const names = Array.from({ length: options.channels }, (_, i) => `chat:${i}`);
  const peer = core.connect('ann');
  await clock.advanceAsync(0);
  peer.command(...names.map((channel) => ({ subscribe: { channel } })));
  await clock.advanceAsync(0);
  peer.stalled = true;
  const data = Buffer.from(JSON.stringify('x'.repeat(options.bytes)));
  for (let n = 0; n < 200; n += 1) {
    for (const name of names) await core.node.publish(name, { data });
    await clock.advanceAsync(1);
  }
  return { core, clock, peer, names };
}

test('BP-4: a reader that stops costs no endless reading of the log, at whichever bound, and gets all when it reads', async () => {
  for (const outboundBytesMax of [64 * 1024, 128 * 1024, 5 * 1024 * 1024]) {
    const { clock, peer, names } = await stalledReader({ channels: 2, bytes: 8_000, outboundBytesMax });
    for (let turns = 0; turns < 5_000 && names.some((name) => peer.offsets(name).length < 200); turns += 1) {
      peer.read(5);
      peer.stalled = true;
      await clock.advanceAsync(1);
    }
    assert.equal(peer.closedWith, undefined);
    for (const name of names)
      assert.deepEqual(
        peer.offsets(name),
        Array.from({ length: 200 }, (_, i) => i + 1),
      );
  }
});

test('BP-1: one publication larger than any lane reaches a lagging reader', async () => {
  const { core, clock, peer } = await stalledReader({ channels: 1, bytes: 500, outboundBytesMax: 5 * 1024 * 1024 });
  await core.node.publish('chat:0', { data: Buffer.from(JSON.stringify('y'.repeat(700_000))) });
  for (let turns = 0; turns < 2_000 && peer.offsets('chat:0').length < 201; turns += 1) {
    peer.read(5);
    peer.stalled = true;
    await clock.advanceAsync(1);
  }
  assert.equal(peer.offsets('chat:0').length, 201);
});

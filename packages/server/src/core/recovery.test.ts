import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualClock } from '@tutti/testkit';
import { CoreNode } from '@tutti/testkit/core-node';
import type { MemoryConnection } from '@tutti/testkit/memory-connection';

const channel = 'chat:general';

async function start(
  limits: { recoveryPageMax?: number; inFlightBytesMax?: number } = {},
  historySize = 5_000,
): Promise<{ core: CoreNode; clock: VirtualClock }> {
  const clock = new VirtualClock();
  return { clock, core: await CoreNode.start({ clock, limits, namespaces: { chat: { historySize } } }) };
}

async function publish(core: CoreNode, from: number, to: number, bytes = 10): Promise<void> {
  for (let n = from; n <= to; n += 1)
    await core.node.publish(channel, { data: Buffer.from(JSON.stringify(String(n).padStart(bytes, '.'))) });
}

async function subscribe(
  core: CoreNode,
  clock: VirtualClock,
  request: object,
): Promise<{ peer: MemoryConnection; id: number | undefined }> {
  const peer = core.connect('ann');
  await clock.advanceAsync(0);
  const [id] = peer.command({ subscribe: { channel, ...request } });
  await clock.advanceAsync(1);
  return { peer, id };
}

function seen(peer: MemoryConnection, id: number | undefined): number[] {
  const first = peer.replyTo(id)?.subscribe?.publications?.map((publication) => publication.offset ?? 0) ?? [];
  return [...first, ...peer.offsets(channel)];
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i);
}

test('DEL-9: 2,000 missed publications come in pages: the first with the answer, the rest as pushes, then live ones', async () => {
  const { core, clock } = await start();
  await publish(core, 1, 2_000);
  const { peer, id } = await subscribe(core, clock, { recover: true, offset: 0, epoch: '' });
  const answer = peer.replyTo(id)?.subscribe;
  assert.equal(answer?.recovered, true);
  assert.equal(answer?.publications?.length, 300);
  await publish(core, 2_001, 2_005);
  await clock.advanceAsync(1);
  assert.deepEqual(seen(peer, id), range(1, 2_005));
});

test('DEL-9: a page is bounded in bytes, too', async () => {
  const { core, clock } = await start();
  await publish(core, 1, 60, 60_000);
  const { peer, id } = await subscribe(core, clock, { recover: true, offset: 0, epoch: '' });
  assert.ok((peer.replyTo(id)?.subscribe?.publications?.length ?? 0) <= 18);
  assert.deepEqual(seen(peer, id), range(1, 60));
});

test('BP-1: who catches up and does not read is given no more than a queue holds, and the rest when it reads', async () => {
  const { core, clock } = await start({ recoveryPageMax: 10, inFlightBytesMax: 10_000 });
  await publish(core, 1, 2_000, 1_000);
  const peer = core.connect('ann');
  await clock.advanceAsync(0);
  peer.stalled = true;
  const [id] = peer.command({ subscribe: { channel, recover: true, offset: 0, epoch: '' } });
  await clock.advanceAsync(5);
  await publish(core, 2_001, 2_010, 1_000);
  await clock.advanceAsync(5);
  assert.ok(peer.inFlight < 100_000, `${peer.inFlight} bytes in flight`);
  for (let turns = 0; turns < 1_000 && seen(peer, id).length < 2_010; turns += 1) {
    peer.read();
    peer.stalled = true;
    await clock.advanceAsync(2);
  }
  assert.deepEqual(seen(peer, id), range(1, 2_010));
  assert.equal(peer.closedWith, undefined);
});

const positions = {
  'at the top': { offset: 10, recovered: true, publications: [] as number[] },
  'behind the top': { offset: 7, recovered: true, publications: [8, 9, 10] },
  'older than the history': { offset: 2, recovered: false, publications: [] },
  'ahead of the log': { offset: 11, recovered: false, publications: [] },
};
for (const [where, expected] of Object.entries(positions)) {
  test(`DEL-9: a position ${where} is ${expected.recovered ? 'recovered whole' : 'said not to be recovered'}`, async () => {
    const { core, clock } = await start({}, 5);
    await publish(core, 1, 10);
    const { epoch } = (await core.node.history(channel, { limit: 0 })).top;
    const { peer, id } = await subscribe(core, clock, { recover: true, offset: expected.offset, epoch });
    const answer = peer.replyTo(id)?.subscribe;
    assert.equal(answer?.recovered, expected.recovered);
    assert.equal(answer?.was_recovering, true);
    assert.deepEqual(answer?.publications?.map((publication) => publication.offset) ?? [], expected.publications);
    assert.equal(answer?.offset, expected.recovered ? expected.offset : 10);
    await publish(core, 11, 11);
    await clock.advanceAsync(1);
    assert.deepEqual(peer.offsets(channel), [11]);
  });
}

test('DEL-3: a position of another epoch is not compared', async () => {
  const { core, clock } = await start();
  await publish(core, 1, 10);
  const { peer, id } = await subscribe(core, clock, { recover: true, offset: 10, epoch: 'another' });
  assert.equal(peer.replyTo(id)?.subscribe?.recovered, false);
});

test('a client that would rather load its state is answered 112 in place of recovered: false', async () => {
  const { core, clock } = await start();
  await publish(core, 1, 3);
  const { peer, id } = await subscribe(core, clock, { recover: true, offset: 3, epoch: 'another', flag: 2 });
  assert.equal(peer.replyTo(id)?.error?.code, 112);
  assert.equal(core.node.figures(1).subscriptions, 0);
});

test('DEL-9: history that is trimmed away under a reader ends its subscription with 2500, never in silence', async () => {
  const { core, clock } = await start({ recoveryPageMax: 5, inFlightBytesMax: 4_096 }, 50);
  await publish(core, 1, 50, 60_000);
  const peer = core.connect('ann');
  await clock.advanceAsync(0);
  peer.stalled = true;
  const [id] = peer.command({ subscribe: { channel, recover: true, offset: 0, epoch: '' } });
  await clock.advanceAsync(1);
  await publish(core, 51, 1_300, 10);
  for (let turns = 0; turns < 50; turns += 1) {
    peer.read();
    peer.stalled = true;
    await clock.advanceAsync(1);
  }
  const offsets = seen(peer, id);
  assert.deepEqual(offsets, range(1, offsets.length), 'no hole in what it saw');
  assert.equal(peer.pushes(channel).at(-1)?.unsubscribe?.code, 2500);
});

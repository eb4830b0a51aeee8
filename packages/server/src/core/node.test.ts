import assert from 'node:assert/strict';
import { test } from 'node:test';
import { disconnects } from '@tutti/protocol';
import { MemoryBroker, type PublishOptions, type PublicationDraft, type PublishOutcome } from '@tutti/server/internal';
import { SeededRandom, VirtualClock } from '@tutti/testkit';
import { CoreNode } from '@tutti/testkit/core-node';
import type { MemoryConnection } from '@tutti/testkit/memory-connection';

const channel = 'chat:general';
const data = new TextEncoder().encode('1');
const commitMs = 2_000;

/** Answers a publish two seconds after it was made, or never. */
class SlowBroker extends MemoryBroker {
  readonly #clock: VirtualClock;
  hangs = false;

  constructor(clock: VirtualClock) {
    super({ clock, random: new SeededRandom(2) });
    this.#clock = clock;
  }

  override async publish(name: string, draft: PublicationDraft, options: PublishOptions): Promise<PublishOutcome> {
    const outcome = await super.publish(name, draft, options);
    if (this.hangs) return new Promise(() => undefined);
    return new Promise((resolve) => {
      this.#clock.after(commitMs, () => {
        resolve(outcome);
      });
    });
  }
}

function isOpen({ closedWith }: MemoryConnection): boolean {
  return closedWith === undefined;
}

async function arrange(): Promise<{ core: CoreNode; clock: VirtualClock; broker: SlowBroker; peer: MemoryConnection }> {
  const clock = new VirtualClock();
  const broker = new SlowBroker(clock);
  const core = await CoreNode.start({ clock, broker });
  const peer = core.connect('ann');
  await clock.advanceAsync(0);
  return { core, clock, broker, peer };
}

test('CON-3: a publish under way is answered before its connection ends; what comes later is not begun', async () => {
  const { core, clock, peer } = await arrange();
  const [under] = peer.command({ publish: { channel, data } });
  await clock.advanceAsync(100);
  const report = core.node.drain({ overMs: 20_000 });
  const [late] = peer.command({ publish: { channel, data } });
  await clock.advanceAsync(commitMs - 200);
  assert.equal(isOpen(peer), true);
  await clock.advanceAsync(200);
  assert.equal(peer.replyTo(under)?.publish?.offset, 1);
  assert.equal(peer.replyTo(late), undefined);
  assert.equal(peer.closedWith?.code, disconnects.shutdown.code);
  assert.match(peer.closedWith?.reason ?? '', /retry=\d+$/);
  await clock.advanceAsync(1_000);
  assert.deepEqual([(await report).cut, (await report).connections], [0, 1]);
  assert.equal((await core.node.history(channel, { limit: 10 })).top.offset, 1, 'nothing that was not answered');
});

test('CON-3: who waits for an answer that does not come is cut, and counted', async () => {
  const { core, clock, broker, peer } = await arrange();
  broker.hangs = true;
  peer.command({ publish: { channel, data } });
  const report = core.node.drain({ overMs: 20_000 });
  await clock.advanceAsync(10_000);
  assert.equal(peer.closedWith?.code, disconnects.shutdown.code);
  assert.equal((await report).cut, 1);
});

test('CON-3: while a node drains, those who are left get what is published, and those who come are sent away', async () => {
  const { core, clock } = await arrange();
  const others = Array.from({ length: 300 }, (_, n) => core.connect(`user-${n}`));
  await clock.advanceAsync(0);
  for (const other of others) other.command({ subscribe: { channel } });
  await clock.advanceAsync(0);
  const report = core.node.drain({ overMs: 3_000 });
  await clock.advanceAsync(1_000);
  void core.node.publish(channel, { data });
  await clock.advanceAsync(50);
  const left = others.filter(({ closedWith }) => closedWith === undefined);
  assert.ok(left.length > 100 && left.length < 250, `${left.length} are left`);
  for (const peer of left) assert.deepEqual(peer.offsets(channel), [1]);
  const newcomer = core.link();
  assert.equal(newcomer.closedWith?.code, disconnects.shutdown.code);
  await clock.advanceAsync(5_000);
  assert.equal((await report).connections, 301);
  assert.equal(core.node.figures(0).connections, 0);
});

test('ends are counted by who ended, commands by method, errors by code', async () => {
  const { core, clock, peer } = await arrange();
  peer.command({ presence: { channel: 'nowhere:x' } });
  await clock.advanceAsync(0);
  peer.drop();
  core.connect('bob');
  await clock.advanceAsync(0);
  core.node.directory.disconnect({ user: 'bob' });
  assert.deepEqual([...core.counters.labelled('connections_closed')].toSorted(), [
    ['peer', 1],
    ['refused', 1],
  ]);
  assert.deepEqual(
    [...core.counters.labelled('commands_received')],
    [
      ['connect', 2],
      ['presence', 1],
    ],
  );
  assert.equal([...core.counters.labelled('commands_rejected').values()][0], 1);
  assert.equal(core.counters.snapshot().frames_received, 3);
});

test('the figures name the channels with most subscribers, in order, and count all', async () => {
  const core = await CoreNode.start({ namespaces: { live: {} } });
  const clock = core.clock as VirtualClock;
  const counts = [1, 4, 2, 4, 3];
  const peers = Array.from({ length: 4 }, (_, i) => core.connect(`user-${i}`));
  await clock.advanceAsync(0);
  counts.forEach((count, channel) => {
    for (const peer of peers.slice(0, count)) peer.command({ subscribe: { channel: `live:${channel}` } });
  });
  await clock.advanceAsync(0);
  const { channels, subscriptions, topChannels } = core.node.figures(3);
  assert.deepEqual({ channels, subscriptions }, { channels: 5, subscriptions: 14 });
  assert.deepEqual(
    topChannels.map(({ channel, subscribers }) => [channel, subscribers]),
    [
      ['live:1', 4],
      ['live:3', 4],
      ['live:4', 3],
    ],
  );
  assert.deepEqual(core.node.figures(0).topChannels, []);
});

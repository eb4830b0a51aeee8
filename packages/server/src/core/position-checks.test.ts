import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Position } from '@tutti/protocol';
import {
  Fault,
  MemoryBroker,
  type Broker,
  type BrokerEvents,
  type HistoryPage,
  type HistoryQuery,
} from '@tutti/server/internal';
import { LossyBroker, SeededRandom, VirtualClock } from '@tutti/testkit';
import { CoreNode } from '@tutti/testkit/core-node';
import type { MemoryConnection } from '@tutti/testkit/memory-connection';

const channel = 'chat:general';
const checkMs = 10_000;
/** Looking again takes so long, at most. */
const lookAgainMs = 3_000;

/** A log of which the last publications are not seen, for a while or for good. */
class RewindingBroker extends MemoryBroker {
  /** So many are not seen, of the channels in which `hidesOf` says so. */
  hides = 0;
  hidesOf: (channel: string) => boolean = () => true;
  reads = 0;
  events: BrokerEvents | undefined;
  /** Called before each read that hides something. */
  onHidden: () => void = () => {};

  override async start(events: BrokerEvents): Promise<void> {
    this.events = events;
    await super.start(events);
  }

  override async history(name: string, query: HistoryQuery): Promise<HistoryPage> {
    this.reads += 1;
    if (this.hides > 0 && this.hidesOf(name)) this.onHidden();
    const hidden = this.hidesOf(name) ? this.hides : 0;
    const { publications, top } = await super.history(name, query);
    const offset = Math.max(0, top.offset - hidden);
    return {
      publications: publications.filter((publication) => (publication.offset ?? 0) <= offset),
      top: { ...top, offset },
    };
  }
}

interface Scene {
  readonly core: CoreNode;
  readonly clock: VirtualClock;
  readonly log: RewindingBroker;
  readonly bus: LossyBroker;
  readonly peer: MemoryConnection;
  publish(count: number, name?: string): Promise<void>;
}

async function setUp(
  channels: readonly string[] = [channel],
  wrap: (broker: Broker) => Broker = (broker) => broker,
): Promise<Scene> {
  const [clock, random] = [new VirtualClock(), new SeededRandom(7)];
  const log = new RewindingBroker({ clock, random });
  const bus = new LossyBroker(log);
  const core = await CoreNode.start({
    ...{ clock, random, broker: wrap(bus), positionCheckIntervalMs: checkMs },
    namespaces: { chat: { historySize: 100 } },
    limits: { subscriptionsMax: 10_000, pendingCommandsMax: 10_000 },
  });
  const peer = core.connect('ann');
  await clock.advanceAsync(0);
  for (const name of channels) peer.command({ subscribe: { channel: name } });
  await clock.advanceAsync(0);
  const publish = async (count: number, name = channel): Promise<void> => {
    for (let i = 0; i < count; i += 1) {
      await core.node.publish(name, { data: Buffer.from('1') });
      await clock.advanceAsync(1);
    }
  };
  return { core, clock, log, bus, peer, publish };
}

const endings = (peer: MemoryConnection, name = channel): (number | undefined)[] =>
  peer.pushes(name).flatMap(({ unsubscribe }) => (unsubscribe === undefined ? [] : [unsubscribe.code]));

test('DEL-7: a log that for a moment knows less than it gave out ends no subscription', async () => {
  const { clock, log, peer, publish } = await setUp();
  await publish(5);
  log.hides = 2;
  let looks = 0;
  log.onHidden = () => {
    looks += 1;
    if (looks === 3) log.hides = 0;
  };
  await clock.advanceAsync(checkMs + lookAgainMs);
  assert.equal(looks, 3);
  assert.deepEqual(endings(peer), []);
  await publish(1);
  assert.deepEqual(peer.offsets(channel), [1, 2, 3, 4, 5, 6]);
});

test('DEL-7: what the log has really lost is told, seconds after the check of 10 s', async () => {
  const { clock, log, peer, publish } = await setUp();
  await publish(5);
  log.hides = 2;
  await clock.advanceAsync(checkMs + lookAgainMs);
  assert.deepEqual(endings(peer), [2500]);
  const [id] = peer.command({ subscribe: { channel } });
  await clock.advanceAsync(0);
  assert.equal(peer.replyTo(id)?.subscribe?.offset, 3);
});

test('DEL-7: the log lags behind its own bus: the gap is repaired when it has caught up, and nobody is told', async () => {
  const { clock, log, bus, peer, publish } = await setUp();
  await publish(3);
  bus.decideBy((live) => (live.publication.offset === 4 ? 'drop' : 'deliver'));
  await publish(1);
  log.hides = 2;
  let looks = 0;
  log.onHidden = () => {
    looks += 1;
    if (looks === 2) log.hides = 0;
  };
  await publish(1);
  assert.deepEqual(peer.offsets(channel), [1, 2, 3]);
  await clock.advanceAsync(lookAgainMs);
  assert.deepEqual(peer.offsets(channel), [1, 2, 3, 4, 5]);
  assert.deepEqual(endings(peer), []);
});

test('DEL-7, DEL-9: a gap that the log never fills is told', async () => {
  const { clock, log, bus, peer, publish } = await setUp();
  await publish(3);
  bus.decideBy((live) => (live.publication.offset === 4 ? 'drop' : 'deliver'));
  await publish(1);
  log.hides = 2;
  await publish(1);
  await clock.advanceAsync(lookAgainMs);
  assert.deepEqual(endings(peer), [2500]);
});

test('DEL-7: the gap closes by itself while the log is looked at again: no publication is given twice', async () => {
  const { clock, log, bus, peer, publish } = await setUp();
  await publish(3);
  bus.decideBy((live) => (live.publication.offset === 4 ? 'hold' : 'deliver'));
  await publish(1);
  log.hides = 2;
  await publish(1);
  bus.release();
  log.hides = 0;
  await clock.advanceAsync(lookAgainMs);
  assert.deepEqual(peer.offsets(channel), [1, 2, 3, 4, 5]);
  assert.deepEqual(endings(peer), []);
});

test('DEL-10: a channel that is looked at again holds up no other', async () => {
  const other = 'chat:other';
  const { clock, log, bus, peer, publish } = await setUp([channel, other]);
  await publish(3);
  log.hides = 1;
  log.hidesOf = (name) => name === channel;
  let isBeingLookedAt = false;
  log.onHidden = () => (isBeingLookedAt = true);
  while (!isBeingLookedAt) await clock.advanceAsync(100);
  bus.decideBy(() => 'drop');
  await publish(1, other);
  bus.decideBy(() => 'deliver');
  log.events?.interrupted?.();
  await clock.advanceAsync(0);
  assert.deepEqual(peer.offsets(other), [1]);
  assert.deepEqual(endings(peer), []);
  await clock.advanceAsync(lookAgainMs);
  assert.deepEqual(endings(peer), [2500]);
});

test('a top that cannot be read is no verdict: the next round looks', async () => {
  let isDown = false;
  const { clock, bus, peer, publish } = await setUp([channel], (broker) => {
    const { history } = broker;
    broker.history = async (name, query) => {
      if (isDown) throw new Fault('broker', 'the log is away', { retryable: true });
      return history.call(broker, name, query);
    };
    return broker;
  });
  bus.decideBy(() => 'drop');
  await publish(1);
  bus.decideBy(() => 'deliver');
  isDown = true;
  await clock.advanceAsync(checkMs);
  assert.deepEqual([peer.offsets(channel), endings(peer)], [[], []]);
  isDown = false;
  await clock.advanceAsync(checkMs);
  assert.deepEqual(peer.offsets(channel), [1]);
});

test('DEL-10: many channels are compared in few reads, where the broker has such', async () => {
  const names = Array.from({ length: 1_200 }, (_, i) => `chat:${i}`);
  const asked: number[] = [];
  const { clock, log, bus, peer, publish } = await setUp(names, (broker) => {
    broker.tops = async (channels): Promise<ReadonlyMap<string, Position>> => {
      asked.push(channels.length);
      return new Map(
        await Promise.all(channels.map(async (name) => [name, (await log.history(name, { limit: 0 })).top] as const)),
      );
    };
    return broker;
  });
  bus.decideBy(() => 'drop');
  await publish(1, 'chat:1100');
  await clock.advanceAsync(checkMs);
  assert.deepEqual(asked, [500, 500, 200]);
  assert.deepEqual(peer.offsets('chat:1100'), [1]);
});

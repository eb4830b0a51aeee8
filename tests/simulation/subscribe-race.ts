import assert from 'node:assert/strict';
import { MemoryBroker, type LivePublication } from '@tutti/server/internal';
import { CoreNode } from '@tutti/testkit/core-node';
import type { Scenario } from '@tutti/testkit/interleavings';
import { type MemoryConnection } from '@tutti/testkit/memory-connection';
import { SeededRandom } from '@tutti/testkit/seeded-random';
import { SteppedBroker } from '@tutti/testkit/stepped-broker';
import { VirtualClock } from '@tutti/testkit/virtual-clock';

/**
 * Publishing while subscribing, judged by what the peer received: after the answer, every
 * publication above the answered position, each once, in order, none missing (DEL-1, DEL-2, DEL-8).
 */
export interface RaceOptions {
  /** Published and waited for before the race begins. */
  readonly before: number;
  /** Published one after another while the subscribe is under way. */
  readonly during: number;
  /** Subscribes with a position; undefined subscribes fresh. */
  readonly recoverFrom?: number;
  /** Another connection is live in the channel already. */
  readonly neighbour?: boolean;
  /** Leaves and comes back with its position while publishing goes on. */
  readonly returns?: boolean;
  /** Small pages, so that recovery takes several. */
  readonly pageMax?: number;
  /** Offsets that the bus loses; the log has them (DEL-7). */
  readonly lost?: readonly number[];
}

const channel = 'chat:race';

export async function subscribeRace(options: RaceOptions): Promise<Scenario> {
  const clock = new VirtualClock();
  const random = new SeededRandom(7);
  const lost = new Set(options.lost);
  const loses = (live: LivePublication): boolean => lost.delete(live.publication.offset ?? 0);
  const core = await CoreNode.start({
    clock,
    random,
    broker: new SteppedBroker(new MemoryBroker({ clock, random }), clock, loses),
    namespaces: { chat: { historySize: 100 } },
    limits: { recoveryPageMax: options.pageMax ?? 300, flushDelayMaxMs: 0 },
  });
  const publish = (from: number, count: number): Promise<void> => publishAll(core, from, count);
  await settle(clock, publish(1, options.before));
  const neighbour = options.neighbour === true ? await joined(core, clock, 'neighbour') : undefined;
  const peer = core.connect('peer');
  await settle(clock);
  const page = core.node.history(channel, { limit: 0 });
  await settle(clock);
  const { epoch } = (await page).top;
  const position = options.recoverFrom === undefined ? {} : { recover: true, offset: options.recoverFrom, epoch };
  const [first] = peer.command({ subscribe: { channel, ...position } });
  const returning = options.returns === true ? comeBack(peer, first, clock) : undefined;
  const done = { published: false };
  void publish(options.before + 1, options.during).then(() => {
    done.published = true;
  });
  return {
    clock,
    judge: () => {
      assert.ok(done.published, 'the publisher was answered');
      const top = options.before + options.during;
      judgePeer(peer, first, top, options, returning?.id);
      if (neighbour !== undefined)
        assert.deepEqual(neighbour.offsets(channel), range(options.before + 1, top), 'the neighbour');
    },
  };
}

function judgePeer(
  peer: MemoryConnection,
  first: number | undefined,
  top: number,
  options: RaceOptions,
  second: number | undefined,
): void {
  assert.equal(peer.closedWith, undefined, 'the connection stays');
  const received = receivedOffsets(peer);
  const start = peer.replyTo(first)?.subscribe;
  assert.ok(start, 'the subscribe is answered');
  const from = options.recoverFrom ?? start.offset ?? 0;
  if (options.recoverFrom !== undefined) assert.equal(start.recovered, true, 'recovered');
  if (second !== undefined) assert.equal(peer.replyTo(second)?.subscribe?.recovered, true, 'recovered on return');
  assert.deepEqual(received, range(from + 1, top), 'what the peer saw');
}

/** Everything seen in the channel, in order: publications of answers, then pushes, as they arrived. */
function receivedOffsets(peer: MemoryConnection): number[] {
  return peer.replies.flatMap((reply) => {
    const missed = reply.subscribe?.publications?.map((publication) => publication.offset ?? 0) ?? [];
    const live = reply.push?.channel === channel && reply.push.pub !== undefined ? [reply.push.pub.offset ?? 0] : [];
    return [...missed, ...live];
  });
}

/** As a client would: unsubscribes when it is subscribed, and returns with the last position it saw. */
function comeBack(peer: MemoryConnection, first: number | undefined, clock: VirtualClock): { id?: number } {
  const returned: { id?: number } = {};
  const leave = (): void => {
    peer.command({ unsubscribe: { channel } });
    clock.soon(() => {
      const answer = peer.replyTo(first)?.subscribe;
      const offset = receivedOffsets(peer).at(-1) ?? answer?.offset ?? 0;
      const [id] = peer.command({ subscribe: { channel, recover: true, offset, epoch: answer?.epoch ?? '' } });
      if (id !== undefined) returned.id = id;
    });
  };
  // Not in the callback itself: a peer answers through a network, never inside our own write.
  peer.onReply = (reply) => {
    if (reply.id === first) clock.soon(leave);
  };
  return returned;
}

async function publishAll(core: CoreNode, from: number, count: number): Promise<void> {
  for (let n = from; n < from + count; n += 1)
    await core.node.publish(channel, { data: new TextEncoder().encode(String(n)) });
}

async function joined(core: CoreNode, clock: VirtualClock, user: string): Promise<MemoryConnection> {
  const connection = core.connect(user);
  await settle(clock);
  connection.command({ subscribe: { channel } });
  await settle(clock);
  return connection;
}

/** Runs what is ready, without moving time. */
async function settle(clock: VirtualClock, work: Promise<void> = Promise.resolve()): Promise<void> {
  await clock.advanceAsync(0);
  await work;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
}

/**
 * What is tried: each name says what is being raced. As many publications as let every interleaving be
 * tried in about half a minute.
 */
export const races: Readonly<Record<string, RaceOptions>> = {
  'a fresh subscribe': { before: 1, during: 2 },
  'a fresh subscribe to an empty channel': { before: 0, during: 2 },
  'a recovery': { before: 3, during: 2, recoverFrom: 1 },
  'a recovery in pages of one': { before: 3, during: 1, recoverFrom: 0, pageMax: 1 },
  'a recovery beside a live neighbour': { before: 2, during: 2, recoverFrom: 1, neighbour: true },
  'leaving and coming back': { before: 1, during: 1, returns: true },
  'a fresh subscribe while the bus loses the first publication': { before: 1, during: 3, lost: [2], neighbour: true },
  'a recovery while the bus loses two publications': { before: 2, during: 3, recoverFrom: 1, lost: [3, 4] },
};

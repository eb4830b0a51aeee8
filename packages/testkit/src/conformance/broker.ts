// long on purpose: one flat list of promises, to be read from top to bottom beside broker.ts
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  channelWithin,
  PositionConflict,
  Fault,
  topsOf,
  type Broker,
  type HistoryQuery,
  type LivePublication,
  type PublicationDraft,
  type PublishOptions,
  type PublishOutcome,
} from '@tutti/server/internal';
import { eventually } from '../eventually.ts';

/** One fresh broker for one test, not yet started. */
export interface BrokerUnderTest {
  readonly broker: Broker;
  /** For brokers that take their time from a clock; without it the tests of age are skipped by name. */
  readonly clock?: TestClock;
  /** The idempotency window the broker was made with, in milliseconds; needs `clock`. */
  readonly idempotencyWindowMs?: number;
  /**
   * Breaks what lies between broker and log (a connection, a thread), at once; the broker mends it by
   * itself. Without it the tests of interruptions are skipped by name.
   */
  interrupt?(): Promise<void> | void;
  /** Called last, after `broker.close()`. */
  dispose(): Promise<void> | void;
}

interface TestClock {
  advance(ms: number): void;
  /** Sets the wall clock, and nothing else. */
  jumpWall?(byMs: number): void;
}

export interface BrokerConformanceOptions {
  /** Channel names begin with it: decides where an implementation routes them. */
  readonly channelPrefix?: string;
}

const history = { size: 100, ttlMs: 3_600_000 };
const kept: PublishOptions = { history };

/** A started broker, with what reached its events. */
class Bench {
  readonly broker: Broker;
  readonly channel: string;
  readonly live: LivePublication[] = [];
  /** Called with each `interrupted`. */
  onInterrupted: () => void = () => {};

  constructor(broker: Broker, channel: string) {
    this.broker = broker;
    this.channel = channel;
  }

  publish(text: string, options: PublishOptions = kept, channel: string = this.channel): Promise<PublishOutcome> {
    return this.broker.publish(channel, draft(text), options);
  }

  async texts(query: HistoryQuery, channel: string = this.channel): Promise<string[]> {
    const page = await this.broker.history(channel, query);
    return page.publications.map(({ data }) => text(data));
  }

  async offsets(query: HistoryQuery): Promise<(number | undefined)[]> {
    const page = await this.broker.history(this.channel, query);
    return page.publications.map(({ offset }) => offset);
  }

  get liveTexts(): string[] {
    return this.live.map(({ publication }) => text(publication.data));
  }
}

/**
 * Registers the tests every `Broker` must pass (docs/spec/delivery). `create` is called once a test.
 * An outside adapter calls it in a test file of its own: `brokerConformance('mine', async () => …)`.
 */
export function brokerConformance(
  name: string,
  create: () => Promise<BrokerUnderTest>,
  options: BrokerConformanceOptions = {},
): void {
  const prefix = options.channelPrefix ?? '';
  const it: It = (title, body, lacks = () => undefined) => {
    test(`${title} [${name}]`, async (context) => {
      const made = await create();
      const bench = new Bench(made.broker, `${prefix}room`);
      try {
        const reason = lacks(made);
        if (reason !== undefined) {
          context.skip(reason);
          return;
        }
        await made.broker.start({
          publication: (live) => bench.live.push(live),
          interrupted: () => bench.onInterrupted(),
        });
        await body(bench, made);
      } finally {
        await made.broker.close();
        await made.dispose();
      }
    });
  };
  /** A test that moves time. */
  const itWithClock: ItWithClock = (title, body) => {
    const lacks = ({ clock }: BrokerUnderTest): string | undefined =>
      clock === undefined ? 'the broker takes its time from elsewhere' : undefined;
    it(title, (bench, made) => body(bench, made.clock as TestClock, made), lacks);
  };
  ordering(it, prefix);
  conditions(it, prefix);
  reading(it, prefix);
  retention(it, itWithClock);
  carrying(it);
  interruption(it);
  tenants(it);
  living(it);
}

/** `lacks`: why the test cannot be run with what was made, if so. */
type It = (
  title: string,
  body: (bench: Bench, made: BrokerUnderTest) => Promise<void>,
  lacks?: (made: BrokerUnderTest) => string | undefined,
) => void;
type ItWithClock = (
  title: string,
  body: (bench: Bench, clock: TestClock, made: BrokerUnderTest) => Promise<void>,
) => void;

function ordering(it: It, prefix: string): void {
  it('DEL-1: offsets grow by one from 1, and live order is offset order', async (bench) => {
    await bench.broker.subscribe(bench.channel);
    for (let i = 1; i <= 5; i++) assert.equal((await bench.publish(`${i}`)).position?.offset, i);
    assert.deepEqual(
      bench.live.map(({ publication }) => publication.offset),
      [1, 2, 3, 4, 5],
    );
  });

  it('DEL-4: calls take effect in the order they were made, awaited or not', async (bench) => {
    await bench.broker.subscribe(bench.channel);
    const texts = Array.from({ length: 500 }, (_, i) => `${i}`);
    const outcomes = await Promise.all(
      texts.map((each) => bench.publish(each, { history: { size: 500, ttlMs: 60_000 } })),
    );
    assert.deepEqual(
      outcomes.map(({ position }) => position?.offset),
      texts.map((_, i) => i + 1),
    );
    assert.deepEqual(bench.liveTexts, texts);
    assert.deepEqual(await bench.texts({ limit: 1_000 }), texts);
  });

  it('DEL-4: publications with and without history keep their order in one channel', async (bench) => {
    await bench.broker.subscribe(bench.channel);
    await Promise.all([bench.publish('a'), bench.publish('b', {}), bench.publish('c'), bench.publish('d', {})]);
    assert.deepEqual(bench.liveTexts, ['a', 'b', 'c', 'd']);
    assert.deepEqual(await bench.texts({ limit: 10 }), ['a', 'c']);
  });

  it('DEL-4: live delivery comes before the promise resolves', async (bench) => {
    await bench.broker.subscribe(bench.channel);
    for (const each of ['a', 'b', 'c']) {
      await bench.publish(each);
      assert.equal(bench.liveTexts.at(-1), each);
    }
  });

  it('DEL-1: concurrent publishers never share an offset', async (bench) => {
    await bench.broker.subscribe(bench.channel);
    const publisher = async (who: string): Promise<number[]> => {
      const offsets: number[] = [];
      for (let i = 0; i < 20; i++) offsets.push((await bench.publish(`${who}${i}`)).position?.offset ?? 0);
      return offsets;
    };
    const offsets = (await Promise.all(['a', 'b', 'c', 'd', 'e'].map(publisher))).flat();
    assert.deepEqual(
      offsets.toSorted((a, b) => a - b),
      Array.from({ length: 100 }, (_, i) => i + 1),
    );
    assert.deepEqual(await bench.texts({ limit: 100 }), bench.liveTexts);
  });

  it('DEL-7: every live publication names the offset before it, also after a removal', async (bench) => {
    await bench.broker.subscribe(bench.channel);
    await bench.publish('a');
    await bench.publish('b');
    await bench.broker.removeHistory(bench.channel);
    await bench.publish('c');
    assert.deepEqual(
      bench.live.map(({ publication, previousOffset }) => [previousOffset, publication.offset]),
      [
        [0, 1],
        [1, 2],
        [2, 3],
      ],
    );
  });

  it('DEL-3: outcome, live event and history agree on epoch and offset', async (bench) => {
    await bench.broker.subscribe(bench.channel);
    const { position } = await bench.publish('a');
    const { top, publications } = await bench.broker.history(bench.channel, { limit: 1 });
    assert.ok(position !== undefined && position.epoch !== '');
    assert.deepEqual(top, position);
    assert.equal(publications[0]?.offset, position.offset);
    assert.equal(bench.live[0]?.epoch, position.epoch);
    assert.equal(bench.live[0].publication.offset, position.offset);
  });

  it('DEL-3: an empty channel has the epoch its first publication will have', async (bench) => {
    const before = await bench.broker.history(bench.channel, { limit: 10 });
    const { position } = await bench.publish('a');
    assert.deepEqual(before.publications, []);
    assert.equal(before.top.offset, 0);
    assert.equal(before.top.epoch, position?.epoch);
  });

  it('channels do not share offsets', async (bench) => {
    await bench.publish('a');
    const other = await bench.publish('b', kept, `${prefix}other`);
    assert.equal(other.position?.offset, 1);
    assert.deepEqual(await bench.texts({ limit: 10 }), ['a']);
    assert.deepEqual(await bench.texts({ limit: 10 }, `${prefix}other`), ['b']);
  });

  it('events are given only while the node subscribes to the channel', async (bench) => {
    await bench.publish('before');
    await bench.broker.subscribe(bench.channel);
    await bench.broker.subscribe(bench.channel);
    await bench.publish('during');
    await bench.publish('elsewhere', kept, `${prefix}other`);
    await bench.broker.unsubscribe(bench.channel);
    await bench.broker.unsubscribe(bench.channel);
    await bench.publish('after');
    assert.deepEqual(bench.liveTexts, ['during']);
  });

  it('without history: delivered, without a position, and kept nowhere', async (bench) => {
    await bench.broker.subscribe(bench.channel);
    const outcome = await bench.publish('a', {});
    assert.deepEqual(outcome, { duplicate: false });
    const [live] = bench.live;
    assert.ok(live !== undefined);
    assert.equal(live.epoch, '');
    assert.equal(live.previousOffset, 0);
    assert.equal('offset' in live.publication, false);
    assert.deepEqual(await bench.texts({ limit: 10 }), []);
  });
}

function conditions(it: It, prefix: string): void {
  it('DEL-6: a retry with the same key is answered with the first result', async (bench) => {
    await bench.broker.subscribe(bench.channel);
    const first = await bench.publish('a', { history, idempotencyKey: 'k' });
    await bench.publish('b');
    const retry = await bench.publish('a', { history, idempotencyKey: 'k' });
    assert.equal(first.duplicate, false);
    assert.deepEqual(retry, { position: first.position, duplicate: true });
    assert.deepEqual(await bench.texts({ limit: 10 }), ['a', 'b']);
  });

  it('DEL-6: a duplicate is not delivered', async (bench) => {
    await bench.broker.subscribe(bench.channel);
    for (let i = 0; i < 3; i++) await bench.publish('a', { history, idempotencyKey: 'k' });
    assert.deepEqual(bench.liveTexts, ['a']);
  });

  it('DEL-6: retries made at the same moment take effect once', async (bench) => {
    await bench.broker.subscribe(bench.channel);
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, () => bench.publish('a', { history, idempotencyKey: 'k' })),
    );
    assert.equal(outcomes.filter(({ duplicate }) => !duplicate).length, 1);
    assert.deepEqual(new Set(outcomes.map(({ position }) => position?.offset)), new Set([1]));
    assert.deepEqual(bench.liveTexts, ['a']);
  });

  it('DEL-6: a key belongs to its channel', async (bench) => {
    await bench.publish('a', { history, idempotencyKey: 'bc' });
    const other = await bench.publish('b', { history, idempotencyKey: 'bc' }, `${prefix}other`);
    assert.equal(other.duplicate, false);
    // A name and key that read alike when put together.
    const alike = await bench.publish('c', { history, idempotencyKey: 'c' }, `${bench.channel}b`);
    assert.equal(alike.duplicate, false);
  });

  it('DEL-6: a key works for channels without history', async (bench) => {
    await bench.broker.subscribe(bench.channel);
    assert.deepEqual(await bench.publish('a', { idempotencyKey: 'k' }), { duplicate: false });
    assert.deepEqual(await bench.publish('a', { idempotencyKey: 'k' }), { duplicate: true });
    assert.deepEqual(bench.liveTexts, ['a']);
  });

  it('compare-and-append: only at the expected top', async (bench) => {
    const { top } = await bench.broker.history(bench.channel, { limit: 0 });
    const first = await bench.publish('a', { history, expected: top });
    assert.equal(first.position?.offset, 1);
    await assert.rejects(bench.publish('b', { history, expected: top }), (error) => {
      assert.ok(error instanceof PositionConflict);
      assert.deepEqual(error.top, first.position);
      return true;
    });
    assert.deepEqual(await bench.texts({ limit: 10 }), ['a']);
  });

  it('compare-and-append: an empty epoch accepts any, another epoch is refused', async (bench) => {
    await bench.publish('a');
    assert.equal((await bench.publish('b', { history, expected: { offset: 1, epoch: '' } })).position?.offset, 2);
    const stranger = { offset: 2, epoch: 'another' };
    await assert.rejects(bench.publish('c', { history, expected: stranger }), PositionConflict);
  });

  it('compare-and-append: of many at once exactly one wins, and the others harm nobody', async (bench) => {
    await bench.broker.subscribe(bench.channel);
    const expected = { offset: 0, epoch: '' };
    const tries = Array.from({ length: 10 }, (_, i) => bench.publish(`${i}`, { history, expected }));
    const bystander = bench.publish('bystander', kept, `${prefix}other`);
    const settled = await Promise.allSettled(tries);
    assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 1);
    assert.equal((await bystander).position?.offset, 1);
    assert.deepEqual(bench.liveTexts, ['0']);
  });

  it('DEL-6: a retry of a won compare-and-append is a duplicate, not a conflict', async (bench) => {
    const options = { history, expected: { offset: 0, epoch: '' }, idempotencyKey: 'k' };
    const first = await bench.publish('a', options);
    assert.deepEqual(await bench.publish('a', options), { position: first.position, duplicate: true });
  });

  it('DEL-6: a lost compare-and-append does not use up its key', async (bench) => {
    const lost = bench.publish('a', { history, expected: { offset: 7, epoch: '' }, idempotencyKey: 'k' });
    await assert.rejects(lost, PositionConflict);
    const retry = await bench.publish('a', { history, expected: { offset: 0, epoch: '' }, idempotencyKey: 'k' });
    assert.equal(retry.duplicate, false);
  });

  it('compare-and-append without history is refused', async (bench) => {
    await assert.rejects(bench.publish('a', { expected: { offset: 0, epoch: '' } }), Fault);
  });
}

function reading(it: It, prefix: string): void {
  const fill = async (bench: Bench, count: number): Promise<void> => {
    await Promise.all(Array.from({ length: count }, (_, i) => bench.publish(`${i + 1}`)));
  };

  it('history forward: oldest first, after since, at most limit', async (bench) => {
    await fill(bench, 6);
    const since = { offset: 2, epoch: '' };
    assert.deepEqual(await bench.offsets({ limit: 3 }), [1, 2, 3]);
    assert.deepEqual(await bench.offsets({ limit: 100 }), [1, 2, 3, 4, 5, 6]);
    assert.deepEqual(await bench.offsets({ since, limit: 2 }), [3, 4]);
    assert.deepEqual(await bench.offsets({ since: { offset: 6, epoch: '' }, limit: 2 }), []);
    assert.deepEqual(await bench.offsets({ since: { offset: 60, epoch: '' }, limit: 2 }), []);
  });

  it('history backward: newest first, before since, at most limit', async (bench) => {
    await fill(bench, 6);
    assert.deepEqual(await bench.offsets({ limit: 3, reverse: true }), [6, 5, 4]);
    assert.deepEqual(await bench.offsets({ limit: 100, reverse: true }), [6, 5, 4, 3, 2, 1]);
    assert.deepEqual(await bench.offsets({ since: { offset: 4, epoch: '' }, limit: 2, reverse: true }), [3, 2]);
    assert.deepEqual(await bench.offsets({ since: { offset: 1, epoch: '' }, limit: 2, reverse: true }), []);
    assert.deepEqual(await bench.offsets({ since: { offset: 60, epoch: '' }, limit: 2, reverse: true }), [6, 5]);
  });

  it('history with limit 0 is the top alone', async (bench) => {
    await fill(bench, 3);
    for (const reverse of [false, true]) {
      const page = await bench.broker.history(bench.channel, { limit: 0, reverse });
      assert.deepEqual(page.publications, []);
      assert.equal(page.top.offset, 3);
    }
  });

  it('history by bytes: a page holds what fits, in both directions, and top tells of the rest', async (bench) => {
    const publish = (bytes: number) => bench.broker.publish(bench.channel, { data: new Uint8Array(bytes) }, kept);
    for (const bytes of [1_000, 1_000, 1_000, 5_000, 1_000]) await publish(bytes);
    assert.deepEqual(await bench.offsets({ limit: 100, bytesMax: 2_000 }), [1, 2]);
    assert.deepEqual(await bench.offsets({ limit: 100, bytesMax: 3_500 }), [1, 2, 3]);
    assert.deepEqual(await bench.offsets({ limit: 2, bytesMax: 3_500 }), [1, 2]);
    assert.deepEqual(await bench.offsets({ since: { offset: 2, epoch: '' }, limit: 100, bytesMax: 6_000 }), [3, 4]);
    assert.deepEqual(await bench.offsets({ limit: 100, bytesMax: 1_999, reverse: true }), [5]);
    assert.deepEqual(await bench.offsets({ limit: 100, bytesMax: 6_000, reverse: true }), [5, 4]);
    const page = await bench.broker.history(bench.channel, { limit: 100, bytesMax: 1_000 });
    assert.equal(page.top.offset, 5);
  });

  it('history by bytes: one publication always fits, and limit 0 asks for none', async (bench) => {
    await fill(bench, 3);
    for (const reverse of [false, true]) {
      assert.equal((await bench.offsets({ limit: 100, bytesMax: 0, reverse })).length, 1);
      assert.deepEqual(await bench.offsets({ limit: 0, bytesMax: 0, reverse }), []);
    }
    assert.deepEqual(await bench.offsets({ since: { offset: 3, epoch: '' }, limit: 100, bytesMax: 0 }), []);
  });

  it('DEL-10: the tops of many channels at once are those that history tells', async (bench) => {
    const names = Array.from({ length: 60 }, (_, i) => `${prefix}many-${i}`);
    await Promise.all(
      names.flatMap((name, i) => Array.from({ length: i % 4 }, () => bench.publish('x'.repeat(100), kept, name))),
    );
    await bench.broker.removeHistory(`${prefix}many-3`);
    const tops = await topsOf(bench.broker, names);
    const told = await Promise.all(names.map(async (name) => (await bench.broker.history(name, { limit: 0 })).top));
    assert.deepEqual(
      names.map((name) => tops.get(name)),
      told,
    );
    assert.deepEqual(
      told.map(({ offset }) => offset),
      names.map((_, i) => i % 4),
    );
    for (const name of names) await bench.publish('next', kept, name);
    const later = await topsOf(bench.broker, names);
    assert.deepEqual(
      names.map((name) => later.get(name)),
      told.map(({ offset, epoch }) => ({ offset: offset + 1, epoch })),
    );
    assert.equal((await topsOf(bench.broker, [])).size, 0);
  });

  it('DEL-10: tops read after an acknowledgement contain it', async (bench) => {
    const others = Array.from({ length: 10 }, (_, i) => `${prefix}other-${i}`);
    for (let i = 1; i <= 20; i++) {
      await bench.publish(`${i}`);
      assert.equal((await topsOf(bench.broker, [...others, bench.channel])).get(bench.channel)?.offset, i);
    }
  });

  it('history of a channel nobody knows is empty, and stays so', async (bench) => {
    const page = await bench.broker.history(`${prefix}unknown`, { limit: 10, reverse: true });
    assert.deepEqual(page.publications, []);
    assert.equal(page.top.offset, 0);
    assert.notEqual(page.top.epoch, '');
  });

  it('a read begun after an acknowledgement contains it', async (bench) => {
    for (let i = 1; i <= 20; i++) {
      await bench.publish(`${i}`);
      assert.deepEqual(await bench.offsets({ limit: 1, reverse: true }), [i]);
    }
  });

  it('publications and top are of one moment', async (bench) => {
    const publishing = Array.from({ length: 50 }, (_, i) => bench.publish(`${i}`));
    const pages = await Promise.all(
      Array.from({ length: 20 }, () => bench.broker.history(bench.channel, { limit: 1, reverse: true })),
    );
    await Promise.all(publishing);
    for (const { publications, top } of pages) assert.equal(publications[0]?.offset ?? 0, top.offset);
  });

  it('DEL-3: removal forgets the publications; top and epoch stay', async (bench) => {
    const { position } = await bench.publish('a');
    const { position: second } = await bench.publish('b');
    await bench.broker.removeHistory(bench.channel);
    const page = await bench.broker.history(bench.channel, { limit: 10 });
    assert.deepEqual(page.publications, []);
    assert.deepEqual(page.top, second);
    const { position: third } = await bench.publish('c');
    assert.deepEqual(third, { offset: 3, epoch: position?.epoch });
    assert.deepEqual(await bench.texts({ limit: 10 }), ['c']);
    await bench.broker.removeHistory(`${prefix}unknown`);
  });

  it('removal takes effect between the publishes around it', async (bench) => {
    await Promise.all([bench.publish('a'), bench.broker.removeHistory(bench.channel), bench.publish('b')]);
    assert.deepEqual(await bench.texts({ limit: 10 }), ['b']);
  });
}

function retention(it: It, itWithClock: ItWithClock): void {
  it('retention by size: the newest stay, without holes', async (bench) => {
    for (let i = 1; i <= 12; i++) {
      await bench.publish(`${i}`, { history: { size: 5, ttlMs: 60_000 } });
      const expected = Array.from({ length: Math.min(5, i) }, (_, j) => Math.max(0, i - 5) + j + 1);
      assert.deepEqual(await bench.offsets({ limit: 100 }), expected);
    }
    assert.deepEqual(await bench.offsets({ since: { offset: 2, epoch: '' }, limit: 100 }), [8, 9, 10, 11, 12]);
  });

  it('retention follows the latest publish: smaller at once, larger from then on', async (bench) => {
    const publish = (size: number): Promise<PublishOutcome> => bench.publish('x', { history: { size, ttlMs: 60_000 } });
    for (let i = 0; i < 40; i++) await publish(40);
    await publish(3);
    assert.deepEqual(await bench.offsets({ limit: 100 }), [39, 40, 41]);
    for (let i = 0; i < 3; i++) await publish(5);
    assert.deepEqual(await bench.offsets({ limit: 100 }), [40, 41, 42, 43, 44]);
    await publish(1);
    assert.deepEqual(await bench.offsets({ limit: 100, reverse: true }), [45]);
  });

  itWithClock('retention by age: what is too old is not read, the top stays', async (bench, clock) => {
    const options = { history: { size: 100, ttlMs: 10_000 } };
    await bench.publish('a', options);
    clock.advance(6_000);
    const { position } = await bench.publish('b', options);
    clock.advance(3_999);
    assert.deepEqual(await bench.texts({ limit: 10 }), ['a', 'b']);
    clock.advance(1);
    assert.deepEqual(await bench.texts({ limit: 10 }), ['b']);
    assert.deepEqual(await bench.texts({ limit: 10, reverse: true }), ['b']);
    clock.advance(60_000);
    const page = await bench.broker.history(bench.channel, { limit: 10 });
    assert.deepEqual(page.publications, []);
    assert.deepEqual(page.top, position);
    const { position: next } = await bench.publish('c', options);
    assert.deepEqual(next, { offset: 3, epoch: position?.epoch });
    assert.deepEqual(await bench.texts({ limit: 10 }), ['c']);
  });

  itWithClock('retention by age follows the latest publish', async (bench, clock) => {
    await bench.publish('a', { history: { size: 100, ttlMs: 60_000 } });
    clock.advance(5_000);
    await bench.publish('b', { history: { size: 100, ttlMs: 4_000 } });
    assert.deepEqual(await bench.texts({ limit: 10 }), ['b']);
  });

  itWithClock('retention by age: what was gone does not come back under a longer age', async (bench, clock) => {
    await bench.publish('a', { history: { size: 100, ttlMs: 1_000 } });
    clock.advance(1_000);
    await bench.publish('b', { history: { size: 100, ttlMs: 60_000 } });
    assert.deepEqual(await bench.texts({ limit: 10 }), ['b']);
  });

  itWithClock('a jump of the wall clock neither expires nor keeps anything', async (bench, clock) => {
    const day = 24 * 3_600_000;
    const options = { history: { size: 100, ttlMs: 10_000 }, idempotencyKey: 'k' };
    await bench.publish('a', options);
    clock.jumpWall?.(2 * day);
    assert.deepEqual(await bench.texts({ limit: 10 }), ['a']);
    assert.equal((await bench.publish('a', options)).duplicate, true);
    await bench.publish('b', { history: options.history });
    clock.jumpWall?.(-4 * day);
    clock.advance(9_999);
    assert.deepEqual(await bench.texts({ limit: 10 }), ['a', 'b']);
    clock.advance(1);
    assert.deepEqual(await bench.texts({ limit: 10 }), []);
  });

  itWithClock('DEL-6: a key is forgotten after the window, not before', async (bench, clock, made) => {
    const windowMs = made.idempotencyWindowMs ?? 24 * 3_600_000;
    const options = { history: { size: 10, ttlMs: windowMs * 10 }, idempotencyKey: 'k' };
    await bench.publish('a', options);
    clock.advance(windowMs - 1);
    assert.equal((await bench.publish('a', options)).duplicate, true);
    clock.advance(1);
    const late = await bench.publish('a', options);
    assert.deepEqual([late.duplicate, late.position?.offset], [false, 2]);
    assert.equal((await bench.publish('a', options)).position?.offset, 2);
  });
}

function interruption(it: It): void {
  const lacks = ({ interrupt }: BrokerUnderTest): string | undefined =>
    interrupt === undefined ? 'nothing lies between this broker and its log, or the test cannot break it' : undefined;

  it(
    'DEL-7: interrupted amid publishing: what live delivery missed is in the log when the node is told, and nothing is there twice',
    async (bench, made) => {
      const told: Promise<number>[] = [];
      bench.onInterrupted = () => {
        told.push(bench.broker.history(bench.channel, { limit: 0 }).then(({ top }) => top.offset));
      };
      await bench.broker.subscribe(bench.channel);
      const texts = Array.from({ length: 20 }, (_, i) => `${i}`);
      const publish = (text: string): Promise<PublishOutcome> => bench.publish(text, { history, idempotencyKey: text });
      await publish('first');
      const racing = Promise.allSettled(texts.map(publish));
      await made.interrupt?.();
      for (const { status, reason } of (await racing) as { status: string; reason?: unknown }[]) {
        assert.ok(status === 'fulfilled' || (reason instanceof Fault && reason.retryable), String(reason));
      }
      for (const each of texts) await eventually(() => publish(each), { what: 'the log is there again' });
      await eventually(() => told.length > 0, { what: 'the node is told' });
      const stored = await bench.texts({ limit: 100 });
      assert.deepEqual(stored.toSorted(), ['first', ...texts].toSorted());
      const live = new Set(bench.live.map(({ publication }) => publication.offset));
      const shown = Math.max(...(await Promise.all(told)));
      const missed = stored.map((_, i) => i + 1).filter((offset) => !live.has(offset) && offset > shown);
      assert.deepEqual(missed, []);
    },
    lacks,
  );
}

function carrying(it: It): void {
  it('everything a publication carries comes back, live and from history', async (bench) => {
    const full: PublicationDraft = {
      data: bytes('{"a":1}'),
      info: { user: 'u', client: 'c', conn_info: new Uint8Array([0, 255, 1]), chan_info: bytes('{}') },
      tags: { colour: 'red', ü: '\u{1f3b6}' },
      key: 'k',
      final: true,
    };
    await bench.broker.subscribe(bench.channel);
    await bench.broker.publish(bench.channel, full, kept);
    const [stored] = (await bench.broker.history(bench.channel, { limit: 1 })).publications;
    const [live] = bench.live;
    assert.ok(stored !== undefined && live !== undefined);
    assert.equal(typeof stored.time, 'number');
    assert.deepEqual(plain(live.publication), { ...full, offset: 1, time: stored.time });
    assert.deepEqual(plain(stored), { ...full, offset: 1, time: stored.time });
  });

  it('what was not given stays absent', async (bench) => {
    await bench.publish('a');
    const [stored] = (await bench.broker.history(bench.channel, { limit: 1 })).publications;
    assert.deepEqual(Object.keys(stored ?? {}).toSorted(), ['data', 'offset', 'time']);
  });

  it('payloads are bytes: binary, empty, large, and views into larger buffers', async (bench) => {
    const everyByte = Uint8Array.from({ length: 256 }, (_, i) => i);
    const large = new Uint8Array(1_000_000).fill(7);
    const view = new Uint8Array(100_000).fill(1).subarray(50_000, 50_003);
    const payloads = [everyByte, new Uint8Array(0), large, view];
    await bench.broker.subscribe(bench.channel);
    await Promise.all(payloads.map((data) => bench.broker.publish(bench.channel, { data }, kept)));
    const page = await bench.broker.history(bench.channel, { limit: 10 });
    const expected = payloads.map((data) => Buffer.from(data).toString('base64'));
    const base64 = ({ data }: { data: Uint8Array }): string => Buffer.from(data).toString('base64');
    assert.deepEqual(page.publications.map(base64), expected);
    assert.deepEqual(
      bench.live.map(({ publication }) => base64(publication)),
      expected,
    );
  });

  it('names and keys may hold any character', async (bench) => {
    const odd = ["it's", 'a\u0000b', 'a', '%_*', 'ключ', '\u{1f3b6}'];
    for (const each of odd) {
      const outcome = await bench.publish(each, { history, idempotencyKey: each }, `${bench.channel}${each}`);
      assert.deepEqual([outcome.duplicate, outcome.position?.offset], [false, 1]);
    }
    for (const each of odd) assert.deepEqual(await bench.texts({ limit: 10 }, `${bench.channel}${each}`), [each]);
  });
}

function tenants(it: It): void {
  it('S11: channels that differ only in their tenant share nothing: no log, no delivery, no idempotency key', async (bench) => {
    const own = bench.channel;
    const [acme, rival] = [channelWithin('acme', own), channelWithin('acme.', own)];
    for (const channel of [acme, own]) await bench.broker.subscribe(channel);
    for (const channel of [own, acme, acme, rival]) {
      await bench.publish(`to ${channel}`, { history, ...(channel === own ? { idempotencyKey: 'k' } : {}) }, channel);
    }
    const first = await bench.publish('with the key', { history, idempotencyKey: 'k' }, rival);
    assert.deepEqual([first.duplicate, first.position?.offset], [false, 2]);
    assert.deepEqual(await bench.texts({ limit: 10 }, own), [`to ${own}`]);
    assert.deepEqual(await bench.texts({ limit: 10 }, acme), [`to ${acme}`, `to ${acme}`]);
    assert.deepEqual(
      bench.live.map(({ channel, publication }) => [channel, text(publication.data)]),
      [own, acme, acme].map((channel) => [channel, `to ${channel}`]),
    );
    await bench.broker.removeHistory(acme);
    assert.equal((await bench.texts({ limit: 10 }, own)).length, 1);
  });
}

function living(it: It): void {
  it('close commits what was accepted; later calls throw Fault', async (bench) => {
    const accepted = bench.publish('a');
    const closed = bench.broker.close();
    assert.equal((await accepted).position?.offset, 1);
    await closed;
    await assert.rejects(bench.publish('b'), Fault);
    await assert.rejects(bench.broker.history(bench.channel, { limit: 1 }), Fault);
    await assert.rejects(bench.broker.removeHistory(bench.channel), Fault);
    await assert.rejects(bench.broker.subscribe(bench.channel), Fault);
    await bench.broker.close();
  });
}

function draft(text: string): PublicationDraft {
  return { data: bytes(text) };
}

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text));
}

function text(data: Uint8Array): string {
  return Buffer.from(data).toString();
}

/** Buffers and plain arrays of bytes count as the same. */
function plain<T extends PublicationDraft>(publication: T): T {
  return { ...publication, data: new Uint8Array(publication.data) };
}

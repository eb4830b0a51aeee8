import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { SeededRandom, startNatsCluster, type NatsCluster } from '@tutti/testkit';
import { requireService } from '@tutti/testkit/services';
import { Fault } from '../../core/fault.ts';
import { SystemClock } from '../../runtime/system-clock.ts';
import { SystemRandom } from '../../runtime/system-random.ts';
import { PositionConflict, type PublishOutcome } from '../broker.ts';
import { ChannelWriter, type PublishTask } from './channel-writer.ts';
import { Elections } from './elections.ts';
import { LogReader, type Place } from './log-reader.ts';
import { NatsLink } from './nats-link.ts';
import { RecordSender } from './record-sender.ts';
import { decodeRecord, publicationsOf, type LogRecord } from './record.ts';

const timeout = 60_000;
const service = await requireService('nats-server');
const skip = 'skip' in service ? service : {};
const program = 'path' in service ? service.path : '';
const clock = new SystemClock();
const random = new SystemRandom();
const ttlMs = 3_600_000;

let cluster: NatsCluster;
before(async () => {
  if (program !== '') cluster = await startNatsCluster({ program, servers: 1 });
});
after(() => cluster?.close());

/**
 * What becomes of one append: it is answered; it is stored and the answer lost; it is lost itself; it comes to the
 * stream only with the next one. `meanwhile`: before the writer learns of it.
 */
interface Fortune {
  readonly of: 'answered' | 'answer lost' | 'lost' | 'late';
  readonly meanwhile?: () => Promise<unknown>;
}

class FatefulSender extends RecordSender {
  readonly #next: () => Fortune | undefined;
  #late: (() => Promise<unknown>) | undefined;

  constructor(link: NatsLink, next: () => Fortune | undefined) {
    super({ link, elections: new Elections(), attemptMs: 2_000, enter: () => undefined, leave: () => {} });
    this.#next = next;
  }

  override async send(...args: Parameters<RecordSender['send']>): ReturnType<RecordSender['send']> {
    const [place, bytes, wanted, onSent = () => {}] = args;
    const late = this.#late;
    this.#late = undefined;
    const { of, meanwhile } = this.#next() ?? { of: 'answered' };
    if (of === 'answered') {
      // The late one overtakes, and this one finds that another was quicker: itself.
      const [, answer] = await Promise.all([late?.(), super.send(...args)]);
      return answer;
    }
    onSent();
    if (of === 'answer lost') await super.send(place, bytes, wanted);
    if (of === 'late') this.#late = () => super.send(place, bytes, wanted);
    await late?.();
    await meanwhile?.();
    throw new Error('timeout');
  }
}

/** A stream with one channel, and as many writers as are asked for, as if each were of another node. */
class Scene {
  readonly place: Place;
  readonly link: NatsLink;
  readonly reader: LogReader;
  readonly jsm: JetStreamManager;
  readonly #size: number;
  #writers = 0;

  private constructor(place: Place, link: NatsLink, jsm: JetStreamManager, size: number) {
    [this.place, this.link, this.jsm, this.#size] = [place, link, jsm, size];
    this.reader = new LogReader({ link, elections: new Elections(), clock, timeoutMs: 2_000 });
  }

  static async make(t: TestContext, size = 100): Promise<Scene> {
    const stream = `s${random.id().slice(0, 8)}`;
    const link = new NatsLink({ servers: [cluster.url], name: stream, clock, random });
    await link.start();
    const nats: NatsConnection = await connect({ servers: cluster.url });
    t.after(async () => {
      await nats.close();
      await link.close();
    });
    const jsm = await jetstreamManager(nats);
    const config = { name: stream, subjects: [`${stream}.*`], allow_direct: true, allow_rollup_hdrs: true };
    await jsm.streams.add({ ...config, max_msgs_per_subject: size });
    return new Scene({ stream, subject: `${stream}.a`, replicas: 1, epoch: 'e' }, link, jsm, size);
  }

  writer(next: () => Fortune | undefined = () => undefined): TestWriter {
    const who = `w${(this.#writers += 1)}-`;
    let ids = 0;
    const { link, reader, place } = this;
    const writer = new ChannelWriter({
      ...{ link, reader, clock, place: () => place, liveSubject: `live.${place.subject}` },
      sender: new FatefulSender(link, next),
      give: () => {},
      newId: () => `${who}${(ids += 1)}`,
      settled: () => {},
    });
    return new TestWriter(writer, this.#size);
  }

  /** Of a writer whose appends have these fortunes, in this order. */
  unlucky(...fortunes: Fortune[]): TestWriter {
    return this.writer(() => fortunes.shift());
  }

  async texts(): Promise<string[]> {
    const { publications } = await this.reader.page(this.place, { limit: 10_000 });
    assert.deepEqual(
      publications.map(({ offset = 0 }) => offset - (publications[0]?.offset ?? 0)),
      publications.map((_, i) => i),
    );
    return publications.map(({ data }) => Buffer.from(data).toString());
  }
}

class TestWriter {
  readonly #writer: ChannelWriter;
  readonly #size: number;

  constructor(writer: ChannelWriter, size: number) {
    [this.#writer, this.#size] = [writer, size];
  }

  publish(text: string, more: Partial<PublishTask> = {}): Promise<PublishOutcome> {
    return new Promise((resolve, reject) => {
      const publication = { time: clock.now(), envelope: null, data: Buffer.from(text) };
      const deadlineMs = clock.monotonic() + 5_000;
      const retention = { size: this.#size, ttlMs };
      this.#writer.add({ kind: 'publish', publication, retention, bytes: 1, deadlineMs, resolve, reject, ...more });
    });
  }

  remove(): Promise<PublishOutcome> {
    return new Promise((resolve, reject) => {
      const deadlineMs = clock.monotonic() + 5_000;
      this.#writer.add({ kind: 'remove', expiredOnly: false, bytes: 1, deadlineMs, resolve, reject });
    });
  }
}

const isUnknown = (error: unknown): boolean =>
  error instanceof Fault && error.retryable && /unknown/.test(error.message);
const offsetOf = async (published: Promise<PublishOutcome>): Promise<number | undefined> =>
  (await published).position?.offset;

for (const fate of ['answer lost', 'lost', 'late'] as const) {
  test(
    `DEL-4: no answer to an append (${fate}): it is stored once, and acknowledged where it is`,
    { ...skip, timeout },
    async (t) => {
      const scene = await Scene.make(t);
      await scene.writer().publish('before');
      const writer = scene.unlucky({ of: fate }, { of: fate });
      assert.deepEqual(await writer.publish('a'), { position: { offset: 2, epoch: 'e' }, duplicate: false });
      assert.equal(await offsetOf(writer.publish('b')), 3);
      assert.deepEqual(await scene.texts(), ['before', 'a', 'b']);
    },
  );

  test(
    `DEL-4: no answer (${fate}), and another node appends before it is known why`,
    { ...skip, timeout },
    async (t) => {
      const scene = await Scene.make(t);
      const other = scene.writer();
      await other.publish('before');
      const writer = scene.unlucky({ of: fate, meanwhile: () => other.publish('other') });
      const offset = (await offsetOf(writer.publish('a'))) ?? 0;
      assert.equal(offset, fate === 'answer lost' ? 2 : 3);
      const texts = await scene.texts();
      assert.deepEqual(texts.toSorted(), ['a', 'before', 'other']);
      assert.equal(texts[offset - 1], 'a');
    },
  );
}

test(
  'the first append to a channel is not answered, and a later era of empty channels has begun',
  { ...skip, timeout },
  async (t) => {
    const scene = await Scene.make(t);
    const place = scene.place as { epoch: string };
    const later = async (): Promise<void> => {
      place.epoch = 'later';
    };
    const writer = scene.unlucky({ of: 'answer lost', meanwhile: later });
    assert.deepEqual((await writer.publish('a')).position, { offset: 1, epoch: 'e' });
    assert.deepEqual(await scene.texts(), ['a']);
  },
);

test(
  'a channel of one publication: stored, not answered, and trimmed by another node: the outcome is said to be unknown',
  { ...skip, timeout },
  async (t) => {
    const scene = await Scene.make(t, 1);
    const other = scene.writer();
    await other.publish('before');
    const writer = scene.unlucky({ of: 'answer lost', meanwhile: () => other.publish('other') });
    await assert.rejects(writer.publish('a'), isUnknown);
    assert.deepEqual(await scene.texts(), ['other']);
    assert.equal(await offsetOf(writer.publish('b')), 4);
  },
);

test('a channel of one publication: what never came is appended, once', { ...skip, timeout }, async (t) => {
  const scene = await Scene.make(t, 1);
  const other = scene.writer();
  await other.publish('before');
  const writer = scene.unlucky({ of: 'lost', meanwhile: () => other.publish('other') });
  assert.equal(await offsetOf(writer.publish('a')), 3);
  assert.deepEqual(await scene.texts(), ['a']);
});

test(
  'history removed behind an append that was not answered: what can be told is told',
  { ...skip, timeout },
  async (t) => {
    const scene = await Scene.make(t);
    const other = scene.writer();
    await other.publish('before');
    const stored = scene.unlucky({ of: 'answer lost', meanwhile: () => other.remove() });
    await assert.rejects(stored.publish('a'), isUnknown);
    const lost = scene.unlucky({ of: 'lost', meanwhile: () => other.remove() });
    assert.equal(await offsetOf(lost.publish('b')), 3);
    assert.deepEqual(await scene.texts(), ['b']);
  },
);

test('DEL-6: with a key the stream knows, also what was trimmed meanwhile', { ...skip, timeout }, async (t) => {
  const scene = await Scene.make(t, 1);
  const other = scene.writer();
  const writer = scene.unlucky({ of: 'answer lost', meanwhile: () => other.publish('other') });
  assert.deepEqual(await writer.publish('a', { keyId: 'k' }), { duplicate: true });
  assert.deepEqual(await scene.texts(), ['other']);
});

test('an expected position that was won without an answer is no conflict', { ...skip, timeout }, async (t) => {
  const scene = await Scene.make(t);
  const other = scene.writer();
  await other.publish('before');
  const expected = { offset: 1, epoch: 'e' };
  const winner = scene.unlucky({ of: 'answer lost', meanwhile: () => other.publish('other') });
  assert.equal(await offsetOf(winner.publish('a', { expected })), 2);
  const loser = scene.unlucky({ of: 'lost', meanwhile: () => other.publish('more') });
  await assert.rejects(loser.publish('b', { expected: { offset: 3, epoch: 'e' } }), PositionConflict);
  assert.deepEqual(await scene.texts(), ['before', 'a', 'other', 'more']);
});

test('only who gave a key costs NATS the memory of an id', { ...skip, timeout }, async (t) => {
  const scene = await Scene.make(t);
  const writer = scene.writer();
  await writer.publish('plain');
  await writer.publish('keyed', { keyId: 'k' });
  const ids = await Promise.all(
    [1, 2].map(async (seq) =>
      (await scene.jsm.streams.getMessage(scene.place.stream, { seq }))?.header.get('Nats-Msg-Id'),
    ),
  );
  assert.deepEqual(ids, ['', 'k']);
});

for (const size of [1_000, 2, 1]) {
  test(
    `DEL-4, DEL-6: four nodes, a third of all answers lost, channels of ${size}: nothing twice, nothing acknowledged where it is not`,
    { ...skip, timeout },
    async (t) => {
      const scene = await Scene.make(t, size);
      const seed = random.id();
      const stored = await watch(t, scene);
      const chance = new SeededRandom(Number.parseInt(seed.slice(0, 6), 36) || 1);
      const fortune = (): Fortune => {
        const roll = chance.next();
        return { of: roll < 0.12 ? 'answer lost' : roll < 0.24 ? 'lost' : roll < 0.36 ? 'late' : 'answered' };
      };
      const outcomes = new Map<string, PublishOutcome | 'unknown'>();
      const publishing = [1, 2, 3, 4].map(async (who) => {
        const writer = scene.writer(fortune);
        for (let i = 0; i < 40; i += 1) {
          const text = `${who}.${i}`;
          const outcome = await writer.publish(text).catch((error: unknown) => {
            assert.ok(error instanceof Fault && error.retryable, `seed ${seed}: ${String(error)}`);
            return 'unknown' as const;
          });
          outcomes.set(text, outcome);
        }
      });
      await Promise.all(publishing);
      const places = new Map<string, number>();
      for (const { offset, text } of await stored()) {
        assert.ok(!places.has(text), `seed ${seed}: ${text} is there twice`);
        places.set(text, offset);
      }
      assert.deepEqual(
        [...places.values()],
        [...places.values()].map((_, i) => i + 1),
        `seed ${seed}`,
      );
      for (const [text, outcome] of outcomes) {
        if (outcome !== 'unknown') assert.equal(places.get(text), outcome.position?.offset, `seed ${seed}: ${text}`);
      }
      if (size === 1_000) assert.ok(![...outcomes.values()].includes('unknown'), `seed ${seed}: all can be known`);
    },
  );
}

/** Everything that the stream ever stored, also what it has trimmed since. */
async function watch(t: TestContext, scene: Scene): Promise<() => Promise<{ offset: number; text: string }[]>> {
  const nats = await connect({ servers: cluster.url });
  t.after(() => nats.close());
  const { stream, subject } = scene.place;
  const { config } = await scene.jsm.streams.info(stream);
  await scene.jsm.streams.update(stream, {
    ...config,
    republish: { src: `${stream}.*`, dest: `said.${stream}.{{wildcard(1)}}` },
  });
  const records: LogRecord[] = [];
  nats.subscribe(`said.${stream}.>`, { callback: (_, { data }) => void records.push(decodeRecord(data)) });
  await nats.flush();
  return async () => {
    const last = await scene.reader.last(scene.place);
    assert.ok(last !== undefined, subject);
    while (records.at(-1)?.id !== last.record.id) await nats.flush();
    return records
      .flatMap(publicationsOf)
      .map(({ offset = 0, data }) => ({ offset, text: Buffer.from(data).toString() }));
  };
}

import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { eventually, startNatsCluster, type NatsCluster } from '@tutti/testkit';
import { requireService } from '@tutti/testkit/services';
import { connect } from '@nats-io/transport-node';
import { DiscardPolicy, jetstreamManager, type StreamConfig } from '@nats-io/jetstream';
import { Fault } from '../../core/fault.ts';
import { nullLog } from '../../telemetry/null-telemetry.ts';
import { SystemClock } from '../../runtime/system-clock.ts';
import { SystemRandom } from '../../runtime/system-random.ts';
import type { LivePublication, PublishOptions } from '../broker.ts';
import { NatsBroker, NatsLink, type NatsBrokerOptions } from './index.ts';

const timeout = 60_000;
const service = await requireService('nats-server');
const skip = 'skip' in service ? service : {};
const program = 'path' in service ? service.path : '';
const clock = new SystemClock();
const random = new SystemRandom();
const kept: PublishOptions = { history: { size: 1_000, ttlMs: 3_600_000 } };
const need = { namespace: 'room', size: 1_000, ttlMs: 3_600_000, durable: true };

/** A node's broker, with what reached it. */
class Peer {
  readonly live: LivePublication[] = [];
  interruptions = 0;
  readonly broker: NatsBroker;

  constructor(servers: readonly string[], prefix: string, options: Partial<NatsBrokerOptions> = {}) {
    const link = new NatsLink({ servers, name: prefix, clock, random });
    this.broker = new NatsBroker({
      ...{ link, clock, random, prefix, namespaces: [need], namespaceOf: () => 'room' },
      ...options,
    });
  }

  async start(t: TestContext): Promise<this> {
    await this.broker.start({
      publication: (live) => this.live.push(live),
      interrupted: () => {
        this.interruptions += 1;
      },
    });
    t.after(() => this.broker.close());
    return this;
  }

  publish(text: string, options: PublishOptions = kept, channel = 'room:a'): ReturnType<NatsBroker['publish']> {
    return this.broker.publish(channel, { data: Buffer.from(text) }, options);
  }

  get offsets(): (number | undefined)[] {
    return this.live.map(({ publication }) => publication.offset);
  }
}

const newPrefix = (): string => `t${random.id().slice(0, 8)}`;
const serversOf = (cluster: NatsCluster): string[] => cluster.servers.map(({ port }) => `127.0.0.1:${port}`);
const isTemporary = (error: unknown): boolean => error instanceof Fault && error.retryable;
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

let cluster: NatsCluster;
before(async () => {
  if (program !== '') cluster = await startNatsCluster({ program, servers: 3 });
});
after(() => cluster?.close());

test(
  'DEL-4: three nodes publish to one channel at once: one order, no hole, the same everywhere',
  { ...skip, timeout },
  async (t) => {
    const prefix = newPrefix();
    const peers = await Promise.all([1, 2, 3].map(() => new Peer(serversOf(cluster), prefix).start(t)));
    for (const { broker } of peers) await broker.subscribe('room:a');
    const publisher = async (peer: Peer, who: number): Promise<void> => {
      for (let i = 0; i < 40; i++)
        await peer.publish(`${who}.${i}`, i % 3 === 0 ? { ...kept, idempotencyKey: `${who}.${i}` } : kept);
    };
    await Promise.all(peers.map(publisher));
    const page = await peers[0]!.broker.history('room:a', { limit: 1_000 });
    assert.deepEqual(
      page.publications.map(({ offset }) => offset),
      numbers(120),
    );
    const logged = page.publications.map(({ data }) => Buffer.from(data).toString());
    for (const who of [0, 1, 2]) {
      const own = logged.filter((text) => text.startsWith(`${who}.`));
      assert.deepEqual(
        own,
        numbers(40).map((i) => `${who}.${i - 1}`),
      );
    }
    for (const peer of peers) {
      await eventually(() => peer.live.length === 120, { what: 'everything is delivered' });
      assert.deepEqual(peer.offsets, numbers(120));
      assert.deepEqual(
        peer.live.map(({ publication }) => Buffer.from(publication.data).toString()),
        logged,
      );
    }
  },
);

test(
  'DEL-5: the leader of the stream is killed amid publishing: what was acknowledged is there, once',
  { ...skip, timeout },
  async (t) => {
    const prefix = newPrefix();
    const [writer, reader] = [
      await new Peer(serversOf(cluster), prefix).start(t),
      await new Peer(serversOf(cluster), prefix).start(t),
    ];
    await reader.broker.subscribe('room:a');
    await writer.publish('first');
    const acknowledged: string[] = [];
    let isOver = false;
    const publishing = (async () => {
      for (let i = 0; !isOver || i < 50; i++) {
        await writer.publish(`${i}`).then(
          () => acknowledged.push(`${i}`),
          (error: unknown) => assert.ok(isTemporary(error), String(error)),
        );
      }
    })();
    await eventually(() => acknowledged.length > 20);
    const leader = await eventually(() => cluster.leaderOf(`${prefix}_room`));
    await leader.kill();
    const before = acknowledged.length;
    await eventually(() => acknowledged.length > before + 20, { what: 'publishing goes on', withinMs: 30_000 });
    isOver = true;
    await publishing;
    await leader.start();
    const page = await reader.broker.history('room:a', { limit: 1_000_000 });
    const logged = page.publications.map(({ data }) => Buffer.from(data).toString());
    assert.equal(new Set(logged).size, logged.length, 'nothing is there twice');
    assert.deepEqual(
      acknowledged.filter((text) => !logged.includes(text)),
      [],
    );
    assert.deepEqual(
      page.publications.map(({ offset }) => offset),
      numbers(logged.length),
    );
    assert.ok(reader.interruptions > 0, 'DEL-10: the node was told that something may be lost');
  },
);

test(
  'NATS is not there at start: calls fail for now, and it is used when it comes',
  { ...skip, timeout },
  async (t) => {
    const late = await startNatsCluster({ program, started: false });
    t.after(() => late.close());
    const peer = await new Peer(serversOf(late), newPrefix()).start(t);
    await assert.rejects(peer.publish('a'), isTemporary);
    await assert.rejects(peer.publish('a', {}), isTemporary);
    await assert.rejects(peer.broker.subscribe('room:a'), isTemporary);
    await assert.rejects(peer.broker.history('room:a', { limit: 1 }), isTemporary);
    await late.start();
    await eventually(() => peer.interruptions > 0, { what: 'the node is told', withinMs: 20_000 });
    await peer.broker.subscribe('room:a');
    assert.equal((await peer.publish('a')).position?.offset, 1);
    assert.deepEqual(peer.offsets, [1]);
  },
);

test(
  'NATS is killed and started again: temporary errors meanwhile, subscriptions and log as before',
  { ...skip, timeout },
  async (t) => {
    const single = await startNatsCluster({ program });
    t.after(() => single.close());
    const prefix = newPrefix();
    const [a, b] = [
      await new Peer(serversOf(single), prefix, { publishTimeoutMs: 300 }).start(t),
      await new Peer(serversOf(single), prefix).start(t),
    ];
    await b.broker.subscribe('room:a');
    const first = await a.publish('1');
    await single.servers[0]?.kill();
    await eventually(() => a.publish('lost', {}).then(() => false, isTemporary), { what: 'the loss is noticed' });
    await assert.rejects(a.publish('2', { ...kept, idempotencyKey: 'k' }), isTemporary);
    await single.start();
    const second = await eventually(() => a.publish('2', { ...kept, idempotencyKey: 'k' }), { withinMs: 20_000 });
    assert.deepEqual(second.position, { offset: 2, epoch: first.position?.epoch });
    await eventually(() => b.interruptions > 0, { what: 'the other node is told', withinMs: 20_000 });
    assert.equal((await b.broker.history('room:a', { limit: 0 })).top.offset, 2);
    await a.publish('3');
    await eventually(() => b.offsets.includes(3), { what: 'the subscription lives on' });
  },
);

test(
  'DEL-5: a single copy in a cluster is refused where a namespace is durable, unless it is allowed',
  { ...skip, timeout },
  async (t) => {
    const weak = new Peer(serversOf(cluster), newPrefix(), { replicas: 1 });
    await assert.rejects(
      weak.start(t),
      (error) => error instanceof Fault && !error.retryable && /allowWeakEngine/.test(error.message),
    );
    const allowed = await new Peer(serversOf(cluster), newPrefix(), { replicas: 1, allowWeaker: true }).start(t);
    assert.equal((await allowed.publish('a')).position?.offset, 1);
  },
);

test(
  'a bound that an operator set for a stream is refused where it breaks a promise, said where it does not, and stays',
  { ...skip, timeout },
  async (t) => {
    const connection = await connect({ servers: serversOf(cluster) });
    t.after(() => connection.close());
    const jsm = await jetstreamManager(connection);
    const made = async (more: Partial<StreamConfig>): Promise<string> => {
      const prefix = newPrefix();
      const config = {
        name: `${prefix}_room`,
        subjects: [`${prefix}.log.room.*`],
        num_replicas: 3,
        max_bytes: 1_000_000,
      };
      await jsm.streams.add({ ...config, ...more });
      return prefix;
    };
    const lossy = await made({ discard: DiscardPolicy.Old });
    await assert.rejects(
      new Peer(serversOf(cluster), lossy).start(t),
      (error) =>
        error instanceof Fault && !error.retryable && /max_bytes 1000000 .*allowWeakEngine/.test(error.message),
    );
    const allowed = await new Peer(serversOf(cluster), lossy, { allowWeaker: true }).start(t);
    assert.equal((await allowed.publish('a')).position?.offset, 1);

    const full = await made({ discard: DiscardPolicy.New, max_bytes: 2_000, max_msg_size: 1_000 });
    const warnings: string[] = [];
    const log = { ...nullLog, warn: (_: unknown, text: string) => warnings.push(text) };
    const peer = await new Peer(serversOf(cluster), full, { log, publishTimeoutMs: 300 }).start(t);
    assert.match(warnings.join(), /refuses publishes when it is full: it has max_bytes 2000/);
    await assert.rejects(peer.publish('x'.repeat(1_500)), (error) => error instanceof Fault && !error.retryable);
    let kept = 0;
    while (kept < 100 && (await peer.publish('x'.repeat(300)).then(() => true, isTemporary))) {
      const { top } = await peer.broker.history('room:a', { limit: 0 });
      if (top.offset === kept) break;
      kept = top.offset;
    }
    assert.ok(kept > 0 && kept < 100, 'it is full');
    assert.equal((await peer.broker.history('room:a', { limit: 100 })).publications.length, kept);
  },
);

test('DEL-3: a stream that is deleted and made again is another log', { ...skip, timeout }, async (t) => {
  const prefix = newPrefix();
  const before = await new Peer(serversOf(cluster), prefix).start(t);
  const { position } = await before.publish('a');
  const connection = await connect({ servers: serversOf(cluster) });
  t.after(() => connection.close());
  await (await jetstreamManager(connection)).streams.delete(`${prefix}_room`);
  const later = await new Peer(serversOf(cluster), prefix).start(t);
  const again = await later.publish('b');
  assert.equal(again.position?.offset, 1);
  assert.notEqual(again.position?.epoch, position?.epoch);
});

test('another retention of a namespace keeps its log', { ...skip, timeout }, async (t) => {
  const prefix = newPrefix();
  const before = await new Peer(serversOf(cluster), prefix).start(t);
  for (const i of numbers(10)) await before.publish(`${i}`);
  const larger = await new Peer(serversOf(cluster), prefix, { namespaces: [{ ...need, size: 2_000 }] }).start(t);
  const page = await larger.broker.history('room:a', { limit: 100 });
  assert.equal(page.publications.length, 10);
  const { position } = await larger.publish('11');
  assert.deepEqual(position, { offset: 11, epoch: page.top.epoch });
});

test(
  'what is past its age is not read, and its storage is given back; the position stays',
  { ...skip, timeout },
  async (t) => {
    const prefix = newPrefix();
    const peer = await new Peer(serversOf(cluster), prefix).start(t);
    const brief = { history: { size: 100, ttlMs: 300 } };
    for (const i of numbers(5)) await peer.publish(`${i}`, brief);
    const top = { offset: 5, epoch: (await peer.broker.history('room:a', { limit: 0 })).top.epoch };
    await eventually(async () => (await peer.broker.history('room:a', { limit: 10 })).publications.length === 0);
    const connection = await connect({ servers: serversOf(cluster) });
    t.after(() => connection.close());
    const jsm = await jetstreamManager(connection);
    await eventually(async () => (await jsm.streams.info(`${prefix}_room`)).state.messages === 1, {
      what: 'one marker is left',
    });
    assert.deepEqual(await peer.broker.history('room:a', { limit: 10, reverse: true }), { publications: [], top });
    assert.deepEqual((await peer.publish('6', brief)).position, { ...top, offset: 6 });
  },
);

test('a page is found from anywhere among many channels, in both directions', { ...skip, timeout }, async (t) => {
  const peer = await new Peer(serversOf(cluster), newPrefix()).start(t);
  const noise = numbers(20).map((i) => `room:noise-${i}`);
  for (const i of numbers(120)) {
    await Promise.all([peer.publish(`${i}`), ...noise.map((channel) => peer.publish('x', kept, channel))]);
  }
  const offsets = async (offset: number, reverse: boolean): Promise<(number | undefined)[]> => {
    const page = await peer.broker.history('room:a', { since: { offset, epoch: '' }, limit: 3, reverse });
    return page.publications.map((publication) => publication.offset);
  };
  for (const offset of [0, 1, 50, 100, 116, 117]) {
    assert.deepEqual(await offsets(offset, false), [offset + 1, offset + 2, offset + 3]);
  }
  for (const offset of [4, 50, 100, 119, 120]) {
    assert.deepEqual(await offsets(offset, true), [offset - 1, offset - 2, offset - 3]);
  }
});

test('S25: what strangers put into the subjects harms nobody', { ...skip, timeout }, async (t) => {
  const prefix = newPrefix();
  const peer = await new Peer(serversOf(cluster), prefix).start(t);
  await peer.broker.subscribe('room:a');
  const connection = await connect({ servers: serversOf(cluster) });
  t.after(() => connection.close());
  for (const junk of ['', 'x', '\u0000\u0000\u0000\u0002{}', '{"v":1}'])
    connection.publish(`${prefix}.live.room.room=3Aa`, junk);
  await connection.flush();
  await peer.publish('a');
  assert.deepEqual(peer.offsets, [1]);
});

test('a publication that NATS would not take is refused with what to do', { ...skip, timeout }, async (t) => {
  const peer = await new Peer(serversOf(cluster), newPrefix()).start(t);
  const huge = { data: new Uint8Array(1_048_576) };
  await assert.rejects(peer.broker.publish('room:a', huge, kept), /max_payload/);
  assert.equal((await peer.publish('a')).position?.offset, 1);
});

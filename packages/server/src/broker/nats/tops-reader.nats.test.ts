import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { startNatsCluster, type NatsCluster } from '@tutti/testkit';
import { requireService } from '@tutti/testkit/services';
import { SystemClock } from '../../runtime/system-clock.ts';
import { SystemRandom } from '../../runtime/system-random.ts';
import { Elections } from './elections.ts';
import { LogReader, type Place } from './log-reader.ts';
import { NatsLink } from './nats-link.ts';
import { encodeRecord } from './record.ts';
import { TopsReader } from './tops-reader.ts';

const timeout = 60_000;
const service = await requireService('nats-server');
const skip = 'skip' in service ? service : {};
const program = 'path' in service ? service.path : '';
const clock = new SystemClock();
const random = new SystemRandom();

let cluster: NatsCluster;
before(async () => {
  if (program !== '') cluster = await startNatsCluster({ program, servers: 1 });
});
after(() => cluster?.close());

interface Scene {
  readonly nats: NatsConnection;
  readonly tops: TopsReader;
  place(channel: string): Place;
  append(channel: string, offset: number, bytes?: number): Promise<Msg>;
}

async function setUp(t: TestContext, stream: string, allowDirect: boolean): Promise<Scene> {
  const link = new NatsLink({ servers: [cluster.url], name: stream, clock, random });
  await link.start();
  const nats = await connect({ servers: cluster.url });
  t.after(async () => {
    await nats.close();
    await link.close();
  });
  const jsm = await jetstreamManager(nats);
  await jsm.streams.add({ name: stream, subjects: [`${stream}.*`], allow_direct: allowDirect });
  const options = { link, clock, elections: new Elections(), timeoutMs: 2_000 };
  return {
    nats,
    tops: new TopsReader({ ...options, reader: new LogReader(options) }),
    place: (channel) => ({ stream, subject: `${stream}.${channel}`, replicas: 3, epoch: 'empty' }),
    append: (channel, offset, bytes = 1) => {
      const publications = [{ time: clock.now(), envelope: null, data: new Uint8Array(bytes) }];
      const record = { id: `${offset}`, epoch: 'e', previous: offset - 1, floor: 1, ttlMs: 60_000, publications };
      return nats.request(`${stream}.${channel}`, encodeRecord(record));
    },
  };
}

test(
  'DEL-10: a copy that lags is asked again until it is as far as the leader was',
  { ...skip, timeout },
  async (t) => {
    const scene = await setUp(t, 'lagging', false);
    await scene.append('a', 1);
    await scene.append('a', 2);
    let asked = 0;
    // No server offers copies of this stream; this one is behind until it was asked twice.
    scene.nats.subscribe('$JS.API.DIRECT.GET.lagging', {
      callback: (_, message) => {
        asked += 1;
        const sequence = asked > 2 ? 2 : 1;
        const told = headers();
        told.set('Nats-Subject', 'lagging.a');
        const publications = [{ time: 0, envelope: null, data: new Uint8Array(1) }];
        const record = { id: 'x', epoch: 'e', previous: sequence - 1, floor: 1, ttlMs: 60_000, publications };
        message.respond(encodeRecord(record), { headers: told });
        const end = headers(204, 'EOB');
        end.set('Nats-Num-Pending', '0');
        end.set('Nats-UpTo-Sequence', String(sequence));
        message.respond('', { headers: end });
      },
    });
    await scene.nats.flush();
    const read = await scene.tops.read(new Map([['a', scene.place('a')]]), 'lagging.*');
    assert.deepEqual([...read], [['a', { offset: 2, epoch: 'e' }]]);
    assert.equal(asked, 3);
  },
);

test('last records that do not fit one answer come in several', { ...skip, timeout }, async (t) => {
  const scene = await setUp(t, 'large', true);
  const names = Array.from({ length: 12 }, (_, i) => `c${i}`);
  for (const [i, name] of names.entries()) await scene.append(name, i + 1, 900_000);
  const read = await scene.tops.read(new Map([...names, 'nobody'].map((name) => [name, scene.place(name)])), 'large.*');
  const expected = names.map((name, i) => [name, { offset: i + 1, epoch: 'e' }]);
  assert.deepEqual(
    Object.fromEntries(read),
    Object.fromEntries([...expected, ['nobody', { offset: 0, epoch: 'empty' }]]),
  );
});

test(
  'more channels than NATS takes at once, and a stream of which nothing is left',
  { ...skip, timeout },
  async (t) => {
    const scene = await setUp(t, 'many', true);
    const places = new Map(Array.from({ length: 1_200 }, (_, i) => [`c${i}`, scene.place(`c${i}`)]));
    const before = await scene.tops.read(places, 'many.*');
    assert.deepEqual(new Set([...before.values()].map(({ offset }) => offset)), new Set([0]));
    assert.equal(before.size, 1_200);
    await Promise.all([...places.keys()].map((name) => scene.append(name, 7)));
    const read = await scene.tops.read(places, 'many.*');
    assert.equal(read.size, 1_200);
    assert.deepEqual(new Set([...read.values()].map(({ offset }) => offset)), new Set([7]));
  },
);

test('S25: what a stranger put into a channel is no top, and harms no other', { ...skip, timeout }, async (t) => {
  const scene = await setUp(t, 'strange', true);
  await scene.append('a', 3);
  await scene.nats.request('strange.b', 'not ours');
  const read = await scene.tops.read(new Map(['a', 'b'].map((name) => [name, scene.place(name)])), 'strange.*');
  assert.deepEqual([...read], [['a', { offset: 3, epoch: 'e' }]]);
});

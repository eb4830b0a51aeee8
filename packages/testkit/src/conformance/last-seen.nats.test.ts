import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hashOfUser, ensureStream, namesOf, NatsLastSeen, NatsLink } from '@tutti/server/nats';
import { SystemClock, SystemRandom } from '@tutti/server/internal';
import { eventually } from '../eventually.ts';
import { startNatsCluster, type NatsCluster } from '../nats-cluster.ts';
import { requireService } from '../services.ts';
import { lastSeenConformance, type LastSeenUnderTest } from './last-seen.ts';

const service = await requireService('nats-server');
const clock = new SystemClock();
const random = new SystemRandom();
/** The stream has room for a thousand nodes, too. */
const options = { ttlMs: 30 * 24 * 3_600_000, usersMax: 600, usersBeyond: 1_000 };

interface NatsStore {
  readonly store: NatsLastSeen;
  readonly link: NatsLink;
}

function storeOn({ servers }: NatsCluster, prefix: string): NatsStore {
  const link = new NatsLink({ servers: servers.map(({ port }) => `127.0.0.1:${port}`), name: 'test', clock, random });
  const store = new NatsLastSeen({
    ...{ nats: link, clock, names: namesOf(prefix).lastSeen, bounds: options },
    ensureStream: (wanted) => ensureStream(link, wanted, { replicas: 0, newEpoch: () => random.id() }),
  });
  return { store, link };
}

function newPrefix(): string {
  return `t${random.id().slice(0, 8)}`;
}

function twoNodesOn(cluster: NatsCluster): LastSeenUnderTest {
  const prefix = newPrefix();
  const [a, b] = [storeOn(cluster, prefix), storeOn(cluster, prefix)];
  return {
    store: a.store,
    other: b.store,
    now: () => clock.now(),
    dispose: async () => {
      await Promise.all([a.link.close(), b.link.close()]);
    },
  };
}

if ('skip' in service) {
  test('lastSeenConformance on nats', service, () => {});
} else {
  let single: NatsCluster;
  before(async () => {
    single = await startNatsCluster({ program: service.path });
  });
  after(() => single.close());
  lastSeenConformance('nats', async () => twoNodesOn(single), options);

  test('S25: a message in NATS that is none of the user is as good as none, and is replaced', async (t) => {
    const prefix = newPrefix();
    const { store, link } = storeOn(single, prefix);
    t.after(() => link.close());
    await store.start();
    const ann = { tenant: '', user: 'ann' };
    const subject = namesOf(prefix).lastSeen.user(hashOfUser(ann));
    const forged = [
      'no JSON',
      '[]',
      JSON.stringify({ v: 1, tenant: '', user: 'bob', atMs: 9e15, nodes: [] }),
      JSON.stringify({ v: 1, ...ann, atMs: 'now', nodes: [] }),
      JSON.stringify({ v: 1, ...ann, atMs: 9e15, nodes: ['a.>'] }),
      JSON.stringify({ v: 2, ...ann, atMs: 9e15, nodes: [] }),
    ];
    for (const text of forged) {
      await link.request(subject, text, { timeoutMs: 2_000 });
      assert.deepEqual(await store.read([ann]), [undefined], text);
      await store.write({ node: 'n1', aliveAtMs: 1_000, changes: [{ ...ann, isHere: false, atMs: 500 }] });
      assert.deepEqual(await store.read([ann]), [{ atMs: 500, nodes: [] }]);
    }
  });

  test('a stream that somebody deleted is made again', async (t) => {
    const prefix = newPrefix();
    const { store, link } = storeOn(single, prefix);
    t.after(() => link.close());
    await store.start();
    const batch = { node: 'n1', aliveAtMs: 1, changes: [{ tenant: '', user: 'ann', isHere: false, atMs: 1 }] };
    await store.write(batch);
    await link.request(`$JS.API.STREAM.DELETE.${namesOf(prefix).lastSeen.stream}`, '', { timeoutMs: 2_000 });
    await eventually(() =>
      store.write(batch).then(
        () => true,
        () => false,
      ),
    );
    assert.deepEqual(await store.read([{ tenant: '', user: 'ann' }]), [{ atMs: 1, nodes: [] }]);
  });
}

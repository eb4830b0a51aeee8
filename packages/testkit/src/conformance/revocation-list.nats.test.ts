import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SystemClock, SystemRandom } from '@tutti/server/internal';
import { ensureStream, namesOf, NatsLink, NatsRevocationList } from '@tutti/server/nats';
import { eventually } from '../eventually.ts';
import { startNatsCluster, type NatsCluster } from '../nats-cluster.ts';
import { requireService } from '../services.ts';
import { revocationListConformance, type RevocationListUnderTest } from './revocation-list.ts';

const service = await requireService('nats-server');
const clock = new SystemClock();
const random = new SystemRandom();
const revocationsMax = 1_100;

interface NatsList {
  readonly list: NatsRevocationList;
  readonly link: NatsLink;
}

function listOn({ servers }: NatsCluster, prefix: string, most = revocationsMax): NatsList {
  const link = new NatsLink({ servers: servers.map(({ port }) => `127.0.0.1:${port}`), name: 'test', clock, random });
  const list = new NatsRevocationList({
    ...{ nats: link, clock, names: namesOf(prefix).revocations, revocationsMax: most, expiryGraceMs: 0 },
    ensureStream: (wanted) => ensureStream(link, wanted, { replicas: 0, newEpoch: () => random.id() }),
  });
  return { list, link };
}

function newPrefix(): string {
  return `t${random.id().slice(0, 8)}`;
}

function twoNodesOn(cluster: NatsCluster): RevocationListUnderTest {
  const prefix = newPrefix();
  const [a, b] = [listOn(cluster, prefix), listOn(cluster, prefix)];
  // NATS itself removes what has expired, and nothing shall while a test runs.
  const nowMs = clock.now() + 3_600_000;
  return {
    list: a.list,
    other: b.list,
    now: () => nowMs,
    dispose: async () => {
      await Promise.all([a.link.close(), b.link.close()]);
    },
  };
}

const ofUser = (subject: string) => ({ what: 'user', tenant: '', subject, issuedBeforeMs: 1_700_000_000_000 }) as const;

const subjectsSince = async (list: NatsRevocationList, version = ''): Promise<string[]> =>
  (await list.readSince(version)).revocations.map(({ subject }) => subject);

if ('skip' in service) {
  test('revocationListConformance on nats', service, () => {});
} else {
  let single: NatsCluster;
  let cluster: NatsCluster;
  before(async () => {
    [single, cluster] = await Promise.all([
      startNatsCluster({ program: service.path }),
      startNatsCluster({ program: service.path, servers: 3 }),
    ]);
  });
  after(() => Promise.all([single.close(), cluster.close()]));
  revocationListConformance('nats', async () => twoNodesOn(single), { revocationsMax, hints: true });
  // The election of the stream's first leader may come as one hint more.
  revocationListConformance('nats+cluster', async () => twoNodesOn(cluster), { revocationsMax, hints: false });

  test('S34: NATS removes what has expired, which makes room, and no version returns', async (t) => {
    const { list, link } = listOn(single, newPrefix(), 1);
    t.after(() => link.close());
    await list.start({ changed: () => undefined });
    await list.append({ ...ofUser('ann'), expiresAtMs: clock.now() + 1_000 });
    const { version } = await list.readSince('');
    await assert.rejects(list.append(ofUser('bob')), /revocationsMax/);
    await eventually(() =>
      list.append(ofUser('bob')).then(
        () => true,
        () => false,
      ),
    );
    assert.deepEqual(await subjectsSince(list, version), ['bob']);
  });

  test('CON-6: two nodes that append at once lose none, and exceed no bound', async (t) => {
    const prefix = newPrefix();
    const [a, b] = [listOn(single, prefix, 60), listOn(single, prefix, 60)];
    t.after(() => Promise.all([a.link.close(), b.link.close()]));
    for (const { list } of [a, b]) await list.start({ changed: () => undefined });
    const appends = Array.from({ length: 80 }, (_, i) => [a, b][i % 2]!.list.append(ofUser(`u${i}`)));
    const kept = (await Promise.allSettled(appends)).flatMap(({ status }, i) =>
      status === 'fulfilled' ? [`u${i}`] : [],
    );
    assert.equal(kept.length, 60);
    assert.deepEqual((await subjectsSince(a.list)).toSorted(), kept.toSorted());
  });

  test('S25: what somebody else put there is passed over, and hides nothing', async (t) => {
    const prefix = newPrefix();
    const { list, link } = listOn(single, prefix);
    t.after(() => link.close());
    await list.start({ changed: () => undefined });
    const { entry } = namesOf(prefix).revocations;
    for (const [i, text] of ['', 'null', '{"v":1}', '{"v":1,"what":"all","tenant":"","subject":"x"}'].entries()) {
      await link.request(entry(`forged${i}`), text, { timeoutMs: 2_000 });
    }
    await list.append(ofUser('ann'));
    assert.deepEqual(await subjectsSince(list), ['ann']);
  });

  test('CON-6: another node is told of an entry; after a restart of NATS everything is there, and read anew', async (t) => {
    const own = await startNatsCluster({ program: service.path });
    t.after(() => own.close());
    const [a, b] = [listOn(own, 'test'), listOn(own, 'test')];
    t.after(() => Promise.all([a.link.close(), b.link.close()]));
    let told = 0;
    await a.list.start({ changed: () => undefined });
    await b.list.start({ changed: () => (told += 1) });
    await a.list.append(ofUser('ann'));
    await eventually(() => told === 1);
    const { version } = await b.list.readSince('');
    await own.servers[0]?.kill();
    await eventually(() => !b.link.isUp);
    await assert.rejects(b.list.readSince(version), /could not be reached/);
    await own.start();
    await eventually(() => told > 1);
    assert.deepEqual(await subjectsSince(b.list, version), ['ann']);
  });

  test('CON-6: a stream that was removed is made again, and a version of before is the beginning', async (t) => {
    const prefix = newPrefix();
    const { list, link } = listOn(single, prefix);
    t.after(() => link.close());
    await list.start({ changed: () => undefined });
    for (const subject of ['ann', 'bob']) await list.append(ofUser(subject));
    const { version } = await list.readSince('');
    const { stream } = namesOf(prefix).revocations;
    await link.request(`$JS.API.STREAM.DELETE.${stream}`, '', { timeoutMs: 2_000 });
    for (const subject of ['dan', 'fay', 'gil']) await list.append(ofUser(subject));
    assert.deepEqual(await subjectsSince(list, version), ['dan', 'fay', 'gil']);
  });
}

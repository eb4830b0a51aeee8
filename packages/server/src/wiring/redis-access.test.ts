import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { freePort, redisMissing, startRedis, startRedisCluster, startRedisSentinels } from '@tutti/testkit';
import { certificatesMissing, TestAuthority, type Certificate } from '@tutti/testkit/certificates';
import { becomesReady, saysWhatToDo, start } from './testing/node-on-engine.ts';

const timeout = 90_000;
const missing = await redisMissing();
const noTls = missing ?? (await certificatesMissing());
const withRedis = missing === undefined ? {} : { skip: missing };
const withTls = noTls === undefined ? {} : { skip: noTls };
const secret = 's3cret-of-a-test/%';
/** As docs/guides/choosing-an-engine.md lists them. */
const permissions =
  '+@scripting +@pubsub +@stream +@hash +@sortedset +@string +@keyspace +@connection +info +time +wait +config|get +cluster|slots ~tutti:* &tutti:*';
const ann = [`user ann on ">${secret}" ${permissions}`];

let certificates: { readonly caFile: string; readonly server: Certificate; readonly client: Certificate };
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tutti-access-'));
  if (noTls !== undefined) return;
  const authority = await TestAuthority.make(folder);
  certificates = { caFile: authority.certFile, server: authority.issue(), client: authority.issue() };
});
after(() => rm(folder, { recursive: true, force: true }));

/** Host and port that speak TLS. */
async function serveTls(t: TestContext, clients: 'yes' | 'no'): Promise<string> {
  const port = await freePort();
  const { caFile, server } = certificates;
  const files = [`tls-cert-file ${server.certFile}`, `tls-key-file ${server.keyFile}`, `tls-ca-cert-file ${caFile}`];
  const redis = await startRedis({ config: [...ann, `tls-port ${port}`, `tls-auth-clients ${clients}`, ...files] });
  t.after(() => redis.close());
  return `127.0.0.1:${port}`;
}

const asAnn = `ann:${encodeURIComponent(secret)}`;

test(
  'Redis with TLS and a user who has the permissions of the guide, and no others',
  { ...withTls, timeout },
  async (t) => {
    const at = await serveTls(t, 'no');
    const engine = `rediss://${asAnn}@${at}`;
    await becomesReady(await start(t, { engine, engineCaFile: certificates.caFile }));
    const untrusting = await start(t, { engine });
    await saysWhatToDo(untrusting, /set engineCaFile to the PEM file/, secret, encodeURIComponent(secret));
  },
);

test('Redis asks for a certificate of the node', { ...withTls, timeout }, async (t) => {
  const at = await serveTls(t, 'yes');
  const { caFile: engineCaFile, client } = certificates;
  const engine = `rediss://${asAnn}@${at}`;
  const shown = { engineCertFile: client.certFile, engineKeyFile: client.keyFile };
  await becomesReady(await start(t, { engine, engineCaFile, ...shown }));
  await saysWhatToDo(await start(t, { engine, engineCaFile }), /set engineCertFile and engineKeyFile/, secret);
});

test(
  'Redis does not accept the password, or asks for one: said, and never shown (S29)',
  { ...withRedis, timeout },
  async (t) => {
    const redis = await startRedis({ password: secret, config: ['user bob on >b0b ~* &* +ping'] });
    t.after(() => redis.close());
    const at = `127.0.0.1:${redis.port}`;
    const wrong = await start(t, { engine: `redis://:wrong-one@${at}` });
    await saysWhatToDo(wrong, /does not accept the user and password in engine/, 'wrong-one');
    await saysWhatToDo(await start(t, { engine: `redis://${at}` }), /asks who this node is/);
    await saysWhatToDo(await start(t, { engine: `redis://bob:b0b@${at}` }), /permissions that docs/, 'b0b');
  },
);

test('S29: files for TLS are refused with an engine that is reached without', { ...withTls, timeout }, async (t) => {
  const starting = start(t, { engine: 'redis://127.0.0.1:6379', engineCaFile: certificates.caFile });
  await assert.rejects(starting, /write rediss in place of redis/);
});

test('Sentinels with a password of their own, before a Redis with another', { ...withRedis, timeout }, async (t) => {
  const sentinels = await startRedisSentinels({ password: secret, sentinelPassword: 'of the sentinels' });
  t.after(() => sentinels.close());
  await becomesReady(await start(t, { engine: sentinels.url }));
  const wrong = await start(t, { engine: sentinels.url.replace(/sentinelPassword=.*/, 'sentinelPassword=wrong-one') });
  await saysWhatToDo(wrong, /does not accept/, 'wrong-one', secret);
});

test('a Redis Cluster with a password', { ...withRedis, timeout }, async (t) => {
  const cluster = await startRedisCluster({ password: secret });
  t.after(() => cluster.close());
  await becomesReady(await start(t, { engine: cluster.url }));
});

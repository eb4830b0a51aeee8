// long on purpose: one list of what can happen to a Redis, and what is promised then
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { inspect } from 'node:util';
import {
  eventually,
  redisMissing,
  startRedis,
  startRedisCluster,
  startRedisSentinels,
  type RedisOptions,
  type RedisServer,
} from '@tutti/testkit';
import { parseRedisUrl } from '../../config/redis-target.ts';
import { Fault } from '../../core/fault.ts';
import { SystemClock } from '../../runtime/system-clock.ts';
import { SystemRandom } from '../../runtime/system-random.ts';
import { RedisRevocationList } from '../../revocation/redis/redis-revocation-list.ts';
import type { LivePublication, PublishOptions, PublishOutcome } from '../broker.ts';
import { channelKeys } from './channel-keys.ts';
import { judgeDurability } from './durability.ts';
import { RedisBroker } from './redis-broker.ts';
import { RedisLink } from './redis-link.ts';
import { SharedLink } from './shared-link.ts';

const missing = await redisMissing();
const options = { timeout: 120_000, ...(missing === undefined ? {} : { skip: missing }) };
const history = { size: 1_000, ttlMs: 3_600_000 };
const withinMs = 40_000;

/** A started broker, and what reached it. */
class Scene {
  readonly broker: RedisBroker;
  readonly link: RedisLink;
  readonly live: LivePublication[] = [];
  readonly said: string[] = [];
  interruptions = 0;

  constructor(url: string, context: TestContext, more: { durable?: boolean; weak?: boolean; replicas?: number } = {}) {
    const target = parseRedisUrl(url);
    if (typeof target === 'string') throw new Error(target);
    const [clock, random] = [new SystemClock(), new SystemRandom()];
    const say = (fields: unknown, message: string): void => void this.said.push(`${message} ${inspect(fields)}`);
    const log = { debug: say, info: say, warn: say, error: say };
    const { durable: isNeeded = false, weak: isWeakAllowed = false, replicas = 0 } = more;
    const unfit = judgeDurability({ isNeeded, isWeakAllowed, replicas, log });
    this.link = new RedisLink({ target, clock, random, log, unfit });
    this.broker = new RedisBroker({
      link: this.link,
      clock,
      random,
      log,
      confirm: { replicas, isDue: () => isNeeded },
    });
    context.after(() => this.broker.close());
  }

  async start(channel?: string): Promise<this> {
    await this.broker.start({
      publication: (live) => this.live.push(live),
      interrupted: () => (this.interruptions += 1),
    });
    if (channel !== undefined) await this.broker.subscribe(channel);
    return this;
  }

  publish(text: string, more: Partial<PublishOptions> = {}, channel = 'room'): Promise<PublishOutcome> {
    return this.broker.publish(channel, { data: Buffer.from(text) }, { history, ...more });
  }

  async texts(channel = 'room'): Promise<string[]> {
    const { publications } = await this.broker.history(channel, { limit: 1_000 });
    return publications.map(({ data }) => Buffer.from(data).toString());
  }

  /** Every (epoch, offset) that was seen live, with its text: two texts for one are a broken promise. */
  mustNameOnce(): void {
    const names = new Map<string, string>();
    for (const { epoch, publication } of this.live) {
      const position = `${epoch}/${publication.offset}`;
      const text = Buffer.from(publication.data).toString();
      assert.equal(names.get(position) ?? text, text, `${position} names two publications`);
      names.set(position, text);
    }
  }
}

async function redis(context: TestContext, made?: RedisOptions): Promise<RedisServer> {
  const server = await startRedis(made);
  context.after(() => server.close());
  return server;
}

function isRefused(call: Promise<unknown>): Promise<boolean> {
  return call.then(() => false, isTemporary);
}

const isTemporary = (error: unknown): boolean => error instanceof Fault && error.retryable;

test('DEL-3: a master lost before its replica had everything: what follows is of another epoch', options, async (t) => {
  const sentinels = await startRedisSentinels();
  t.after(() => sentinels.close());
  const scene = await new Scene(sentinels.url, t).start('room');
  for (const text of ['1', '2', '3', '4', '5']) await scene.publish(text);
  const [master, replica] = [sentinels.master(), sentinels.replica()];
  assert.equal(master.command('WAIT', '1', '5000').trim(), '1');
  replica.pause();
  // What the kernel already had for it would still be read.
  master.command('CLIENT', 'KILL', 'TYPE', 'replica');
  const lost = [await scene.publish('6'), await scene.publish('7'), await scene.publish('8')];
  assert.deepEqual(
    lost.map(({ position }) => position?.offset),
    [6, 7, 8],
  );
  await master.kill();
  replica.resume();
  const next = await eventually(() => scene.publish('6 again'), { what: 'the replica takes over', withinMs });
  assert.equal(next.position?.offset, 6);
  assert.notEqual(next.position.epoch, lost[0]?.position?.epoch);
  assert.deepEqual(await scene.texts(), ['1', '2', '3', '4', '5', '6 again']);
  assert.ok(scene.interruptions > 0, 'the node was told to compare its positions');
  scene.mustNameOnce();
  assert.equal(Buffer.from(scene.live.at(-1)?.publication.data ?? []).toString(), '6 again');
  // The old master comes back as a replica, and nothing of what it alone had comes back with it.
  await master.restart();
  await eventually(() => master.command('INFO', 'replication').includes('master_link_status:up'), { withinMs });
  const after = await scene.publish('7 again');
  assert.deepEqual(after.position, { offset: 7, epoch: next.position.epoch });
});

test('DEL-3: after FLUSHALL a channel begins a new epoch', options, async (t) => {
  const server = await redis(t);
  const scene = await new Scene(server.url, t).start('room');
  const first = await scene.publish('a');
  await scene.publish('b');
  server.command('FLUSHALL');
  const { top } = await scene.broker.history('room', { limit: 0 });
  assert.equal(top.offset, 0);
  const second = await scene.publish('c');
  assert.deepEqual(second.position, { offset: 1, epoch: top.epoch });
  assert.notEqual(second.position?.epoch, first.position?.epoch);
  scene.mustNameOnce();
});

test(
  'DEL-3: what remains of a channel whose position was thrown away is not mixed with what follows',
  options,
  async (t) => {
    const server = await redis(t);
    const scene = await new Scene(server.url, t).start('room');
    const { position } = await scene.publish('old');
    const { meta } = channelKeys('tutti', 'room');
    for (const begin of [() => scene.publish('new'), () => scene.broker.history('room', { limit: 0 })]) {
      server.command('DEL', meta);
      await begin();
      const next = await scene.publish('newer');
      assert.notEqual(next.position?.epoch, position?.epoch);
      assert.ok(!(await scene.texts()).includes('old'));
    }
  },
);

test('DEL-5: a restart keeps publications and keys, and begins a new epoch', options, async (t) => {
  const server = await redis(t, { persistence: 'always' });
  const scene = await new Scene(server.url, t, { durable: true }).start('room');
  const first = await scene.publish('a', { idempotencyKey: 'k' });
  await server.kill();
  await server.restart();
  const { top } = await eventually(() => scene.broker.history('room', { limit: 0 }), { withinMs });
  assert.equal(top.offset, 1);
  assert.notEqual(top.epoch, first.position?.epoch);
  assert.deepEqual(await scene.publish('a', { idempotencyKey: 'k' }), { position: top, duplicate: true });
  assert.deepEqual(await scene.texts(), ['a']);
  assert.equal((await scene.publish('b')).position?.offset, 2);
});

test('down at start: the broker starts without it, says so once, and has it when it comes', options, async (t) => {
  const server = await redis(t);
  await server.kill();
  const scene = await new Scene(server.url, t).start();
  await assert.rejects(scene.publish('a'), isTemporary);
  await assert.rejects(scene.broker.publish('room', { data: Buffer.from('x') }, {}), isTemporary);
  await assert.rejects(scene.broker.subscribe('room'), isTemporary);
  assert.equal(scene.said.filter((line) => line.includes('; trying on')).length, 1);
  await server.restart();
  await eventually(() => scene.publish('b'), { what: 'redis is found', withinMs });
  assert.match(scene.said.join('\n'), /redis is there again/);
});

test('lost and back: calls fail at once meanwhile, then subscriptions stand again', options, async (t) => {
  const server = await redis(t, { persistence: 'always' });
  const scene = await new Scene(server.url, t).start('room');
  await scene.publish('a');
  await server.kill();
  await eventually(() => isRefused(scene.publish('b')));
  await assert.rejects(scene.broker.history('room', { limit: 1 }), isTemporary);
  assert.equal(scene.interruptions, 0);
  await server.restart();
  await eventually(() => scene.interruptions > 0, { what: 'the node is told', withinMs });
  await scene.publish('c');
  assert.equal(Buffer.from(scene.live.at(-1)?.publication.data ?? []).toString(), 'c');
});

test('a server that hangs: what waits is failed in bounded time, and what comes later at once', options, async (t) => {
  const server = await redis(t);
  const scene = await new Scene(server.url, t).start('room');
  server.pause();
  await assert.rejects(scene.publish('a', { idempotencyKey: 'a' }), isTemporary);
  await assert.rejects(scene.publish('b'), isTemporary);
  server.resume();
  // Its outcome was unknown: it was written when the server went on, or is written now, and never twice.
  await eventually(() => scene.publish('a', { idempotencyKey: 'a' }), { withinMs });
  assert.deepEqual(await scene.texts(), ['a']);
});

test('S29: a wrong password is said, without the password, and tried on with', options, async (t) => {
  const server = await redis(t, { password: 'correct horse' });
  const scene = await new Scene(server.url.replace('correct%20horse', 'hunter2'), t).start();
  await assert.rejects(scene.publish('a'), isTemporary);
  assert.match(scene.said.join('\n'), /WRONGPASS.*trying on/);
  assert.doesNotMatch(scene.said.join('\n'), /hunter2/);
  server.command('CONFIG', 'SET', 'requirepass', 'hunter2');
  await eventually(() => scene.publish('a'), { withinMs });
});

test('DEL-5: durable namespaces are refused where nothing is kept, unless allowed', options, async (t) => {
  const server = await redis(t, { persistence: 'none' });
  await assert.rejects(new Scene(server.url, t, { durable: true }).start(), (error) => {
    assert.ok(error instanceof Fault && !error.retryable);
    assert.match(error.message, /keeps nothing on disk.*appendonly yes.*allowWeakEngine/);
    return true;
  });
  const allowed = await new Scene(server.url, t, { durable: true, weak: true }).start();
  assert.match(allowed.said.join('\n'), /durable is less than it sounds/);
  const other = await new Scene(server.url, t).start();
  assert.doesNotMatch(other.said.join('\n'), /durable/);
});

test('DEL-5: a weaker sync is said loudly, full sync is confirmed', options, async (t) => {
  const everysec = await new Scene((await redis(t)).url, t, { durable: true }).start();
  assert.match(everysec.said.join('\n'), /less than it sounds: redis syncs once a second/);
  const always = await new Scene((await redis(t, { persistence: 'always' })).url, t, { durable: true }).start();
  assert.doesNotMatch(always.said.join('\n'), /less than it sounds/);
  assert.match(always.said.join('\n'), /synced to the disk of redis before/);
});

test('a server that may evict is said', options, async (t) => {
  const server = await redis(t, { config: ['maxmemory 100mb', 'maxmemory-policy allkeys-lru'] });
  const scene = await new Scene(server.url, t).start();
  assert.match(scene.said.join('\n'), /may evict/);
});

test(
  'DEL-5: with engineReplicas a durable publish waits for them, or says that it does not know',
  options,
  async (t) => {
    const sentinels = await startRedisSentinels();
    t.after(() => sentinels.close());
    const scene = await new Scene(sentinels.url, t, { durable: true, replicas: 1 }).start('room');
    await Promise.all(['1', '2', '3'].map((text) => scene.publish(text)));
    sentinels.replica().pause();
    const tries = await Promise.allSettled(['4', '5'].map((text) => scene.publish(text, { idempotencyKey: text })));
    for (const each of tries) assert.ok(each.status === 'rejected' && isTemporary(each.reason));
    await assert.rejects(scene.publish('4', { idempotencyKey: '4' }), isTemporary, 'a duplicate is confirmed, too');
    sentinels.replica().resume();
    const outcome = await eventually(() => scene.publish('4', { idempotencyKey: '4' }), { withinMs });
    assert.deepEqual([outcome.position?.offset, outcome.duplicate], [4, true]);
    assert.deepEqual(await scene.texts(), ['1', '2', '3', '4', '5']);
  },
);

test('scripts that were flushed are loaded again', options, async (t) => {
  const server = await redis(t);
  const scene = await new Scene(server.url, t).start('room');
  await scene.publish('a');
  server.command('SCRIPT', 'FLUSH');
  await eventually(() => scene.publish('b', { idempotencyKey: 'b' }), { withinMs });
  assert.deepEqual(await scene.texts(), ['a', 'b']);
});

test('a user with the permissions that the guide names, and no other, is enough', options, async (t) => {
  const guide = await readFile(new URL('../../../../../docs/guides/choosing-an-engine.md', import.meta.url), 'utf8');
  const named = /not the default one: `([^`]+)`, keys `([^`]+)`,\s+channels `([^`]+)`/.exec(guide);
  const [, commands = '', keys = '', channels = ''] = named ?? [];
  const server = await redis(t);
  server.command('ACL', 'SETUSER', 'app', 'on', '>pass', '-@all', ...commands.split(/\s+/), keys, channels);
  const scene = await new Scene(server.url.replace('redis://', 'redis://app:pass@'), t, { durable: true }).start(
    'room',
  );
  await scene.publish('a', { idempotencyKey: 'k' });
  await scene.broker.publish('room', { data: Buffer.from('b') }, { idempotencyKey: 'l' });
  await scene.broker.publish('room', { data: Buffer.from('c') }, {});
  await scene.broker.removeHistory('room');
  assert.deepEqual(await scene.texts(), []);
  await scene.broker.unsubscribe('room');
  assert.equal(scene.live.length, 3);
  assert.match(scene.said.join('\n'), /syncs once a second/, 'its settings can be read');
  const redisForAll = new SharedLink(scene.link, 'tutti');
  const list = new RedisRevocationList({ redis: redisForAll, revocationsMax: 10, origin: 'me' });
  await list.start({ changed: () => undefined });
  await list.append({ what: 'user', tenant: '', subject: 'ann', issuedBeforeMs: 1, expiresAtMs: Date.now() + 60_000 });
  assert.equal((await list.readSince('')).revocations.length, 1);
  await list.close();
});

test('S25: what nobody of us has sent is no publication', options, async (t) => {
  const server = await redis(t);
  const scene = await new Scene(server.url, t).start('room');
  const { live } = channelKeys('tutti', 'room');
  for (const text of [
    '',
    'x',
    '0 1 1 e o 1 99\n{}',
    '0 1 1 e o 1 2\n{{',
    '-1 1 1 e o 1 0\nx',
    `${'9'.repeat(600)}\n`,
  ]) {
    server.command('PUBLISH', live, text);
  }
  await scene.publish('a');
  assert.deepEqual(
    scene.live.map(({ publication }) => Buffer.from(publication.data).toString()),
    ['a'],
  );
  assert.match(scene.said.join('\n'), /a message of nobody known was ignored/);
});

test('a Cluster without one of its masters: the others go on, and it is found again', options, async (t) => {
  const cluster = await startRedisCluster({ config: ['cluster-require-full-coverage no'] });
  t.after(() => cluster.close());
  const scene = await new Scene(cluster.url, t).start();
  const [first, second] = await roomsOfDifferentServers(scene, cluster.servers);
  await first.server.kill();
  await eventually(() => isRefused(scene.publish('b', {}, first.room)));
  await scene.publish('b', {}, second.room);
  await first.server.restart();
  await eventually(() => scene.publish('c', {}, first.room), { withinMs });
  await eventually(() => scene.interruptions > 0);
  assert.equal(scene.live.at(-1)?.channel, first.room);
});

test('a slot that moves to another server takes its subscriptions along', options, async (t) => {
  const cluster = await startRedisCluster();
  t.after(() => cluster.close());
  const scene = await new Scene(cluster.url, t).start();
  const [from, to] = await roomsOfDifferentServers(scene, cluster.servers);
  const before = await scene.publish('a', {}, from.room);
  moveSlot(channelKeys('tutti', from.room).slot, from.server, to.server);
  const after = await eventually(() => scene.publish('b', {}, from.room), { withinMs });
  assert.equal(after.position?.offset, (before.position?.offset ?? 0) + 1, 'the channel moved along');
  assert.notEqual(after.position?.epoch, before.position?.epoch);
  await eventually(() => scene.interruptions > 0, { withinMs });
  await scene.publish('c', {}, from.room);
  assert.equal(Buffer.from(scene.live.at(-1)?.publication.data ?? []).toString(), 'c');
});

interface Placed {
  readonly room: string;
  readonly server: RedisServer;
}

/** Two channels that the scene subscribes to, and the servers where they are. */
async function roomsOfDifferentServers(scene: Scene, servers: readonly RedisServer[]): Promise<[Placed, Placed]> {
  const placed = new Map<RedisServer, string>();
  for (let i = 0; placed.size < 2; i++) {
    const room = `room${i}`;
    await scene.broker.subscribe(room);
    await scene.publish('a', {}, room);
    const { meta } = channelKeys('tutti', room);
    const server = servers.find((each) => each.command('--raw', 'KEYS', '*').split('\n').includes(meta));
    if (server !== undefined && !placed.has(server)) placed.set(server, room);
  }
  const [first, second] = [...placed].map(([server, room]) => ({ room, server }));
  return [first!, second!];
}

function moveSlot(slot: number, from: RedisServer, to: RedisServer): void {
  const [fromId, toId] = [from, to].map((each) => each.command('CLUSTER', 'MYID').trim());
  to.command('CLUSTER', 'SETSLOT', `${slot}`, 'IMPORTING', fromId!);
  from.command('CLUSTER', 'SETSLOT', `${slot}`, 'MIGRATING', toId!);
  const keys = from.command('--raw', 'CLUSTER', 'GETKEYSINSLOT', `${slot}`, '100').split('\n').filter(Boolean);
  if (keys.length > 0) from.command('MIGRATE', '127.0.0.1', `${to.port}`, '', '0', '5000', 'KEYS', ...keys);
  for (const each of [to, from]) each.command('CLUSTER', 'SETSLOT', `${slot}`, 'NODE', toId!);
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom, VirtualClock } from '@tutti/testkit';
import type { Log } from '../telemetry/telemetry.ts';
import type { LivePublication, PublishOutcome } from './broker.ts';
import { MemoryBroker, type MemoryBrokerOptions } from './memory.ts';

const history = { size: 10, ttlMs: 60_000 };

async function started(options: Partial<MemoryBrokerOptions> = {}) {
  const clock = new VirtualClock();
  const broker = new MemoryBroker({ clock, random: new SeededRandom(1), ...options });
  const live: LivePublication[] = [];
  await broker.start({ publication: (each) => live.push(each) });
  const publish = (channel: string): Promise<PublishOutcome> =>
    broker.publish(channel, { data: new Uint8Array(1) }, { history });
  const top = async (channel: string) => (await broker.history(channel, { limit: 0 })).top;
  return { broker, clock, live, publish, top };
}

test('DEL-4: append and fan-out are done when publish returns, before anything else can run', async () => {
  const { broker, live, publish } = await started();
  await broker.subscribe('a');
  const promise = publish('a');
  assert.equal(live.length, 1);
  await promise;
});

test('DEL-3: beyond channelsMax the longest idle channel is forgotten, and its next life has another epoch', async () => {
  const { publish, top } = await started({ channelsMax: 2 });
  const first = await publish('a');
  await publish('b');
  await publish('a');
  await publish('c');
  assert.equal((await top('a')).offset, 2);
  assert.equal((await top('b')).offset, 0);
  await publish('d');
  const again = await publish('a');
  assert.equal(again.position?.offset, 1);
  assert.notEqual(again.position.epoch, first.position?.epoch);
});

test('a channel with a subscriber outlives idle ones without', async () => {
  const { broker, publish, top } = await started({ channelsMax: 2 });
  await broker.subscribe('a');
  for (const channel of ['a', 'b', 'c']) await publish(channel);
  assert.equal((await top('a')).offset, 1);
  assert.equal((await top('b')).offset, 0);
});

test('channelsMax holds even where every channel has a subscriber', async () => {
  const { broker, publish, top } = await started({ channelsMax: 20 });
  const channels = Array.from({ length: 40 }, (_, i) => `c${i}`);
  for (const channel of channels) {
    await broker.subscribe(channel);
    await publish(channel);
  }
  const tops = await Promise.all(channels.map(top));
  assert.equal(tops.filter(({ offset }) => offset > 0).length, 20);
});

test('DEL-3: top and epoch outlive the publications by historyMetaTtlMs, no longer', async () => {
  const { clock, publish, top } = await started({ historyMetaTtlMs: 600_000 });
  const { position } = await publish('a');
  clock.advance(599_000);
  assert.deepEqual(await top('a'), position);
  clock.advance(3_000);
  assert.equal((await top('a')).offset, 0);
  assert.notEqual((await publish('a')).position?.epoch, position?.epoch);
});

test('an idle broker sets no timer, a used one has one for all channels, a closed one has none', async () => {
  const { broker, clock, publish } = await started({ historyMetaTtlMs: 100_000, idempotencyWindowMs: 50_000 });
  assert.equal(clock.timers, 0);
  for (let i = 0; i < 100; i++) await publish(`c${i}`);
  assert.equal(clock.timers, 1);
  clock.advance(200_000);
  assert.equal(clock.timers, 0, 'everything is forgotten');
  await publish('a');
  assert.equal(clock.timers, 1);
  await broker.close();
  assert.equal(clock.timers, 0);
});

test('asking for unknown channels makes no state', async () => {
  const { clock, top } = await started();
  for (let i = 0; i < 1_000; i++) await top(`c${i}`);
  assert.equal(clock.timers, 0);
});

test('DEL-3: two brokers never share an epoch', async () => {
  const a = await started();
  const b = await started({ random: new SeededRandom(2) });
  assert.notEqual((await a.publish('x')).position?.epoch, (await b.publish('x')).position?.epoch);
});

test('a jump of the wall clock neither expires nor keeps anything', async () => {
  const { broker, clock, publish } = await started();
  await publish('a');
  clock.jumpWall(3_600_000);
  assert.equal((await broker.history('a', { limit: 10 })).publications.length, 1);
  clock.jumpWall(-7_200_000);
  clock.advance(60_000);
  assert.equal((await broker.history('a', { limit: 10 })).publications.length, 0);
});

test('history keeps the payload, not the large buffer it was read from', async () => {
  const { broker } = await started();
  const data = new Uint8Array(65_536).subarray(100, 110);
  await broker.publish('a', { data }, { history });
  const [kept] = (await broker.history('a', { limit: 1 })).publications;
  assert.equal(kept?.data.buffer.byteLength, 10);
});

test('the sweep comes round to idle channels while busy ones keep moving to the end', async () => {
  const { broker, clock } = await started({ historyMetaTtlMs: 10_000 });
  const short = { history: { size: 1, ttlMs: 1_000 } };
  const publishAll = async (prefix: string): Promise<void> => {
    for (let i = 0; i < 5_000; i++) await broker.publish(`${prefix}${i}`, { data: new Uint8Array(1) }, short);
  };
  await publishAll('busy');
  clock.advance(1_500); // the cursor stands among the busy ones
  const { position } = await broker.publish('idle', { data: new Uint8Array(1) }, short);
  for (let second = 0; second < 15; second++) {
    await publishAll('busy');
    clock.advance(1_000);
  }
  // Forgotten by the sweep alone: its life is over, so a new one has begun for who comes next.
  assert.notEqual((await broker.history('nobody', { limit: 0 })).top.epoch, position?.epoch);
});

/** A log that collects its warnings. */
function collecting(warnings: { fields: Record<string, unknown>; message: string }[]): Log {
  const ignore = (): void => {};
  return { debug: ignore, info: ignore, warn: (fields, message) => warnings.push({ fields, message }), error: ignore };
}

test('DEL-3: beyond historyBytesMax the longest idle channel lets go of its publications, and keeps its position', async () => {
  const warnings: { fields: Record<string, unknown>; message: string }[] = [];
  const { broker } = await started({ historyBytesMax: 10_000, log: collecting(warnings) });
  const publish = (channel: string): Promise<PublishOutcome> =>
    broker.publish(channel, { data: new Uint8Array(3_000) }, { history });
  const keptOf = async (channel: string): Promise<number> =>
    (await broker.history(channel, { limit: 10 })).publications.length;
  const { position } = await publish('idle');
  await publish('busy');
  await publish('busy');
  assert.equal(warnings.length, 0);
  await publish('busy');
  assert.deepEqual([await keptOf('idle'), await keptOf('busy')], [0, 3]);
  assert.deepEqual((await broker.history('idle', { limit: 0 })).top, position);
  for (let i = 0; i < 5; i++) await publish('busy');
  assert.deepEqual([await keptOf('busy'), (await broker.history('busy', { limit: 0 })).top.offset], [3, 8]);
  assert.equal(warnings.length, 1, 'said once a minute');
  assert.match(warnings[0]?.message ?? '', /memory for history is full/);
  await broker.publish('large', { data: new Uint8Array(50_000) }, { history });
  assert.deepEqual([await keptOf('large'), await keptOf('busy')], [1, 0], 'the newest is always kept');
});

test('what is removed, expires, or is replaced no longer counts against historyBytesMax', async () => {
  const warnings: { fields: Record<string, unknown>; message: string }[] = [];
  const { broker, clock } = await started({ historyBytesMax: 10_000, log: collecting(warnings) });
  const publish = (size: number): Promise<PublishOutcome> =>
    broker.publish('a', { data: new Uint8Array(3_000) }, { history: { size, ttlMs: 1_000 } });
  for (let i = 0; i < 20; i++) await publish(2);
  await broker.removeHistory('a');
  for (let i = 0; i < 3; i++) await publish(10);
  clock.advance(1_000);
  for (let i = 0; i < 3; i++) await publish(10);
  assert.equal(warnings.length, 0);
});

test('DEL-6: keys that must make room within their window are a warning, with how short the window is', async () => {
  const warnings: { fields: Record<string, unknown>; message: string }[] = [];
  const { broker, clock } = await started({
    idempotencyKeysMax: 2,
    idempotencyWindowMs: 60_000,
    log: collecting(warnings),
  });
  for (let i = 0; i < 20; i++) {
    await broker.publish('a', { data: new Uint8Array(1) }, { idempotencyKey: `${i}` });
    clock.advance(5_000);
  }
  assert.deepEqual(
    warnings.map(({ fields }) => fields),
    [
      { windowMs: 10_000, configuredMs: 60_000, times: 1 },
      { windowMs: 10_000, configuredMs: 60_000, times: 12 },
    ],
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom, VirtualClock } from '@tutti/testkit';
import { Fault } from '../core/fault.ts';
import { EmbeddedBroker } from './embedded.ts';
import { MemoryBroker } from './memory.ts';

const history = { size: 10, ttlMs: 60_000 };
const draft = { data: new Uint8Array(1) };
const isDurable = (channel: string): boolean => channel.startsWith('durable:');
const memory = (seed: number): MemoryBroker =>
  new MemoryBroker({ clock: new VirtualClock(), random: new SeededRandom(seed) });

test('a channel lives in the broker its namespace says', async () => {
  const [transient, log] = [memory(1), memory(2)];
  const broker = new EmbeddedBroker({ memory: transient, log, isDurable });
  await broker.start({ publication: () => {} });
  await broker.publish('durable:a', draft, { history });
  await broker.publish('other:a', draft, { history });
  const top = async (of: MemoryBroker, channel: string) => (await of.history(channel, { limit: 0 })).top.offset;
  assert.deepEqual([await top(log, 'durable:a'), await top(transient, 'durable:a')], [1, 0]);
  assert.deepEqual([await top(log, 'other:a'), await top(transient, 'other:a')], [0, 1]);
});

test('without a log a durable channel is refused, and others work', async () => {
  const broker = new EmbeddedBroker({ memory: memory(1), isDurable });
  await broker.start({ publication: () => {} });
  await assert.rejects(broker.publish('durable:a', draft, { history }), Fault);
  await assert.rejects(broker.subscribe('durable:a'), /no data folder/);
  assert.equal((await broker.publish('other:a', draft, { history })).position?.offset, 1);
});

test('close closes both, also where the log fails to', async () => {
  const [transient, log] = [memory(1), memory(2)];
  log.close = () => Promise.reject(new Error('cannot'));
  const broker = new EmbeddedBroker({ memory: transient, log, isDurable });
  await broker.start({ publication: () => {} });
  await assert.rejects(broker.close(), /cannot/);
  await assert.rejects(transient.history('a', { limit: 1 }), Fault);
});

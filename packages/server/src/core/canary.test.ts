import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LossyBroker, SeededRandom, VirtualClock } from '@tutti/testkit';
import { MemoryBroker } from '../broker/memory.ts';
import { nullLog } from '../telemetry/null-telemetry.ts';
import type { PublishOutcome } from '../broker/broker.ts';
import { Canaries, Canary } from './canary.ts';
import { Readiness } from './readiness.ts';

async function arrange(make: (inner: MemoryBroker) => LossyBroker = (inner) => new LossyBroker(inner)) {
  const clock = new VirtualClock();
  const random = new SeededRandom(3);
  const broker = make(new MemoryBroker({ clock, random }));
  const canaries = new Canaries([new Canary({ name: 'memory', broker, random, node: 'a' })]);
  const others: string[] = [];
  await broker.start({
    publication: (live) => {
      if (!canaries.receive(live)) others.push(live.channel);
    },
  });
  const times = { canaryIntervalMs: 5_000, canaryTimeoutMs: 2_000 };
  const readiness = new Readiness({ clock, random, log: nullLog, checks: canaries.all, ...times });
  return { clock, broker, canaries, readiness, others };
}

test('a broker that takes publications and brings none back: not ready, and ready when it does again', async () => {
  const { clock, broker, readiness } = await arrange();
  await readiness.start();
  assert.equal(readiness.isReady, true);
  broker.decideBy(() => 'drop');
  await clock.advanceAsync(7_000);
  assert.deepEqual([readiness.isReady, readiness.report().checks[0]?.reason], [false, 'timed out']);
  assert.ok(broker.dropped > 0);
  broker.decideBy(() => 'deliver');
  await clock.advanceAsync(3_000);
  assert.equal(readiness.isReady, true);
});

test('a canary that comes back after its time, or is not its own, proves nothing', async () => {
  const { clock, broker, canaries, readiness } = await arrange();
  broker.decideBy(() => 'hold');
  const started = readiness.start();
  await clock.advanceAsync(2_000);
  await started;
  await clock.advanceAsync(1_000);
  const [canary] = canaries.all;
  assert.ok(canary !== undefined);
  const forged = { data: Buffer.from('"guess"'), offset: 1 };
  canary.receive({ channel: canary.channel, publication: forged, epoch: '', previousOffset: 0 });
  assert.equal(readiness.isReady, false);
});

test('publications of channels are none of its business', async () => {
  const { broker, others, readiness } = await arrange();
  await broker.subscribe('chat:a');
  await readiness.start();
  await broker.publish('chat:a', { data: Buffer.from('1') }, {});
  assert.deepEqual(others, ['chat:a']);
});

test('a broker that never answers is left with a bounded number of canaries', async () => {
  let published = 0;
  class Silent extends LossyBroker {
    override publish(): Promise<PublishOutcome> {
      published += 1;
      return new Promise(() => undefined);
    }
  }
  const { clock, readiness } = await arrange((inner) => new Silent(inner));
  const started = readiness.start();
  await clock.advanceAsync(120_000);
  await started;
  assert.equal(published, 4);
  assert.deepEqual(readiness.report().checks[0]?.reason, 'failed');
});

import { VirtualClock } from '@tutti/testkit';
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Counters } from './counters.ts';
import { nullLog } from './null-telemetry.ts';
import { StatsPublisher } from './stats-publisher.ts';

test('an engine that is away is told of once, and again only after the figures could be published', async () => {
  const clock = new VirtualClock();
  const warnings: string[] = [];
  let isAway = true;
  let published = 0;
  const publisher = new StatsPublisher({
    clock,
    counters: new Counters(nullLog),
    node: {
      figures: () => ({ connections: 0, channels: 0, subscriptions: 0, topChannels: [] }),
      publish: () => {
        published++;
        return isAway ? Promise.reject(new Error('away')) : Promise.resolve();
      },
    },
    nodeName: 'a',
    version: '0',
    log: { ...nullLog, warn: (_, message) => warnings.push(message) },
    sampleChannels: 1,
  });
  publisher.start();
  const seconds = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      clock.advance(1_000);
      await Promise.resolve();
      await Promise.resolve();
    }
  };
  await seconds(3);
  assert.equal(published, 3);
  assert.equal(warnings.length, 1);
  isAway = false;
  await seconds(1);
  isAway = true;
  await seconds(3);
  assert.equal(warnings.length, 2);
  publisher.stop();
});

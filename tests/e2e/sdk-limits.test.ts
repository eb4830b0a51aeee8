import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startNode } from '@tutti/testkit';
import { connectSdk, withBothCodecs } from './official-sdk.ts';

withBothCodecs('limits', (codec) => {
  test('S21: the official SDK tries a subscribe again by itself that came too often, and a publish says 111', async (t) => {
    const node = await startNode({
      namespaces: { room: {} },
      settings: { subscribeRateMax: 1, subscriptionsMax: 1, publishRateMax: 1 },
    });
    t.after(() => node.close());
    const ann = await connectSdk(t, codec, node, { user: 'ann' });
    // Two at once, then one a second: of five in a row some are refused at first, and none for good.
    for (let n = 0; n < 5; n += 1) {
      const { subscription } = await ann.follow(`room:${n}`);
      subscription.unsubscribe();
    }
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => ann.publish('room:0', 1)));
    const codes = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [(outcome.reason as { code: number }).code] : [],
    );
    assert.ok(codes.length > 0 && codes.every((code) => code === 111), codes.join());
    const metrics = await (await fetch(node.server.metricsUrl)).text();
    assert.match(metrics, /tutti_commands_limited_total\{limit="subscribe"\} [1-9]/);
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectClient, eventually, startNode } from '@tutti/testkit';

interface Price {
  n: number;
}

test('an interval asked for is kept by the server, the newest value wins, and jumps are told', async (t) => {
  const node = await startNode({ namespaces: { ticker: { historySize: 1_000 } } });
  t.after(() => node.close());
  const client = await connectClient(node, { user: 'ann' });
  t.after(() => client.close());
  const channel = 'ticker:prices';
  const seldom = await client.follow<Price>(channel, { intervalMs: 200 });
  const watcher = await connectClient(node, { user: 'bob' });
  t.after(() => watcher.close());
  const every = await watcher.follow<Price>(channel);
  const count = 200;
  for (let n = 1; n <= count; n += 1) {
    await node.server.publish(channel, { n }, { key: 'A' });
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
  const publications = seldom.events.all('publication');
  await eventually(
    () => publications.at(-1)?.data.n === count || seldom.events.all('publication').at(-1)?.data.n === count,
    {
      what: 'the last value',
    },
  );
  const seen = seldom.events.all('publication');
  assert.ok(seen.length < count / 4, `${seen.length} of ${count} came`);
  let before = 0;
  for (const { offset = 0, skipped = 0 } of seen) {
    assert.equal(offset - before - 1, skipped);
    before = offset;
  }
  await eventually(() => every.events.all('publication').length === count, { what: 'everything for the other' });
  assert.equal(await seldom.subscription.setInterval(0), 0);
  for (let n = 1; n <= 20; n += 1) await node.server.publish(channel, { n: count + n }, { key: 'A' });
  await eventually(() => seldom.events.all('publication').length === seen.length + 20, {
    what: 'each, without an interval',
  });
});

test('an interval is bounded, and the server answers with the one it keeps', async (t) => {
  const node = await startNode({ namespaces: { ticker: {} } });
  t.after(() => node.close());
  const client = await connectClient(node, { user: 'ann' });
  t.after(() => client.close());
  const { subscription } = await client.follow('ticker:prices');
  assert.equal(await subscription.setInterval(3_600_000), 60_000);
  assert.throws(() => subscription.setInterval(-1), RangeError);
});

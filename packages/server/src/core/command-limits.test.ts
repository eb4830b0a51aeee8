import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rejections } from '@tutti/protocol';
import { VirtualClock } from '@tutti/testkit';
import { CoreNode } from '@tutti/testkit/core-node';
import { KeyedBuckets } from './keyed-buckets.ts';
import { TokenBucket } from './token-bucket.ts';

const data = new TextEncoder().encode('1');

test('S21: a bucket gives its burst at once, then its rate, and says exactly when the next one is due', () => {
  const rate = { perSecond: 10, burst: 5 };
  const bucket = new TokenBucket(rate, 1_000);
  assert.deepEqual(
    Array.from({ length: 7 }, () => bucket.take(rate, 1_000)),
    [0, 0, 0, 0, 0, 100, 100],
  );
  assert.equal(bucket.take(rate, 1_099), 1);
  assert.equal(bucket.take(rate, 1_100), 0);
  assert.equal(bucket.wait(rate, 1_150), 50);
  let taken = 0;
  for (let ms = 2_000; ms < 12_000; ms += 7) if (bucket.take(rate, ms) === 0) taken += 1;
  assert.ok(taken <= 105 && taken >= 100, `${taken} in ten seconds`);
});

test('S21: strangers cannot make a node remember more of them than its bound', () => {
  const buckets = new KeyedBuckets({ perSecond: 1, burst: 1 }, 100);
  assert.equal(buckets.take('busy', 0), 0);
  for (let n = 0; n < 10_000; n += 1) {
    buckets.take(`user ${n}`, 0);
    assert.ok(buckets.take('busy', 0) > 0, 'who is in use is not forgotten');
  }
  assert.equal(buckets.size, 100);
  assert.equal(buckets.wait('unknown', 0), 0);
  assert.equal(buckets.size, 100);
});

test('S21: a connection that publishes more than it may is refused with 111 and told when to retry; others are not', async () => {
  const clock = new VirtualClock();
  const core = await CoreNode.start({ clock, limits: { publishRateMax: 5 } });
  const [ann, bob] = [core.connect('ann'), core.connect('bob')];
  await clock.advanceAsync(0);
  const publish = { publish: { channel: 'chat:a', data } };
  const ids = ann.command(...Array.from({ length: 12 }, () => publish));
  await clock.advanceAsync(0);
  const errors = ids.map((id) => ann.replyTo(id)?.error);
  assert.deepEqual(
    errors.map((error) => error?.code),
    [...Array.from({ length: 10 }, () => undefined), 111, 111],
  );
  assert.equal(errors[10]?.temporary, true);
  assert.match(errors[10]?.message ?? '', /^too many messages of this connection: retry in 200 ms$/);
  assert.deepEqual([...core.counters.labelled('commands_limited')], [['publish', 2]]);
  const [other] = bob.command(publish);
  await clock.advanceAsync(200);
  assert.equal(bob.replyTo(other)?.error, undefined);
  const [again] = ann.command(publish);
  await clock.advanceAsync(0);
  assert.equal(ann.replyTo(again)?.error, undefined, 'after the time it was told');
  assert.equal(ann.closedWith, undefined);
});

test('S21: all connections of a user share what the user may do', async () => {
  const clock = new VirtualClock();
  const core = await CoreNode.start({ clock, limits: { userCommandRateMax: 2, subscriptionsMax: 4 } });
  const phones = [core.connect('ann'), core.connect('ann'), core.connect('ann')];
  const bob = core.connect('bob');
  await clock.advanceAsync(0);
  const history = { history: { channel: 'chat:a', limit: 1 } };
  const codes: (number | undefined)[] = [];
  for (const phone of phones) {
    const ids = phone.command(history, history);
    await clock.advanceAsync(0);
    codes.push(...ids.map((id) => phone.replyTo(id)?.error?.code));
  }
  const { code } = rejections.tooManyRequests;
  assert.deepEqual(codes, [undefined, undefined, undefined, undefined, code, code]);
  const [other] = bob.command(history);
  await clock.advanceAsync(0);
  assert.equal(bob.replyTo(other)?.error, undefined);
});

test('S21: a client that comes back may subscribe to all of its channels in one frame, whatever the rate', async () => {
  const clock = new VirtualClock();
  const limits = { subscribeRateMax: 1, subscriptionsMax: 50, readRateMax: 1 };
  const core = await CoreNode.start({ clock, limits });
  const peer = core.link();
  const subscribes = Array.from({ length: 50 }, (_, n) => ({ subscribe: { channel: `live:${n}` } }));
  const ids = peer.command({ connect: { token: 'ann' } }, ...subscribes);
  await clock.advanceAsync(0);
  assert.ok(ids.every((id) => peer.replyTo(id) !== undefined && peer.replyTo(id)?.error === undefined));
});

test('without limits nothing is counted', async () => {
  const clock = new VirtualClock();
  const core = await CoreNode.start({ clock });
  const ann = core.connect('ann');
  await clock.advanceAsync(0);
  const ids = ann.command(...Array.from({ length: 200 }, () => ({ publish: { channel: 'chat:a', data } })));
  await clock.advanceAsync(0);
  assert.ok(ids.every((id) => ann.replyTo(id)?.error === undefined));
});

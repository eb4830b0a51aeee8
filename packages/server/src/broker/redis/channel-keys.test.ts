import assert from 'node:assert/strict';
import { test } from 'node:test';
import { channelKeys, idempotencyKeyOf } from './channel-keys.ts';
import { slotOf } from './slots.ts';

test('slots are those of Redis Cluster', () => {
  // From `CLUSTER KEYSLOT` of Redis 7.
  assert.deepEqual(['foo', 'bar', '123456789', '', 'ключ'].map(slotOf), [12182, 5061, 12739, 0, 10303]);
});

test('all keys of a channel have one hash tag, which is the channel alone', () => {
  for (const channel of ['chat:a', '', '{', '}', '{}', 'a}b{c', '%7D']) {
    const keys = channelKeys('tutti', channel);
    for (const key of [keys.live, keys.meta, keys.log, idempotencyKeyOf(keys, '}{x}')]) {
      const tag = /\{([^}]*)\}/.exec(key)?.[1] ?? '';
      assert.ok(tag.length > 0, key);
      assert.equal(slotOf(tag), keys.slot, key);
    }
  }
});

test('no key of one channel is a key of another, whatever an idempotency key holds', () => {
  const seen = new Map<string, string>();
  for (const channel of ['a', 'a}', 'a}:key:x', 'a%7D', '%', '%25', 'a}:meta']) {
    const keys = channelKeys('tutti', channel);
    const own = ['', 'x', 'x}:meta', '}:key:x', 'meta'].map((key) => idempotencyKeyOf(keys, key));
    for (const key of [keys.live, keys.meta, keys.log, ...own]) {
      assert.equal(seen.get(key), undefined, `${key} is of ${channel} and of ${seen.get(key)}`);
      seen.set(key, channel);
    }
  }
});

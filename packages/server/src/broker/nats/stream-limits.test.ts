import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DiscardPolicy, type StreamConfig } from '@nats-io/jetstream';
import { judgeAccount, judgeLimits } from './stream-limits.ts';

const { Old: discardOld, New: discardNew } = DiscardPolicy;
const judge = (
  config: Partial<StreamConfig> & Record<string, unknown>,
  isDurable = true,
): { broken: string; tight: string } => {
  const { broken, tight } = judgeLimits(config, isDurable, 1_048_576);
  return { broken: broken.join(), tight: tight.join() };
};

test('no limit of an operator: nothing to say', () => {
  const plain = { max_bytes: -1, max_msgs: -1, max_msg_size: -1, discard: discardOld, sealed: false, no_ack: false };
  assert.deepEqual(judge(plain), { broken: '', tight: '' });
});

test('DEL-3: a bound of all channels together that throws away the oldest breaks positions', () => {
  assert.match(judge({ max_bytes: 1_000, discard: discardOld }, false).broken, /max_bytes 1000 .*set discard: new/);
  assert.match(judge({ max_msgs: 10 }).broken, /max_msgs 10/);
});

test('a full stream that refuses loses nothing: said, and accepted', () => {
  const { broken, tight } = judge({ max_bytes: 1_000, discard: discardNew });
  assert.equal(broken, '');
  assert.match(tight, /refuses publishes when it is full: it has max_bytes 1000/);
  assert.match(judge({ max_msg_size: 1_000 }).tight, /larger than max_msg_size 1000/);
});

test('streams that take nothing, or say what does not hold', () => {
  assert.match(judge({ discard: discardNew, discard_new_per_subject: true }).broken, /discard_new_per_subject/);
  assert.match(judge({ sealed: true }).broken, /sealed/);
  assert.match(judge({ no_ack: true }).broken, /no_ack/);
});

test('DEL-5: what is acknowledged before it is written is no durable channel, and may be another', () => {
  assert.match(judge({ persist_mode: 'async' }).broken, /persist_mode/);
  assert.equal(judge({ persist_mode: 'async' }, false).broken, '');
});

test('an account with a bound is told of, one without is not', () => {
  assert.equal(judgeAccount(5, -1), undefined);
  assert.equal(judgeAccount(5, 0), undefined);
  assert.match(judgeAccount(5, 10) ?? '', /5 of 10 bytes/);
});

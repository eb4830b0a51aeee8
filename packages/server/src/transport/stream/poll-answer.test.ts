import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answerLiveBytesMax, PollAnswer } from './poll-answer.ts';
import { uniOpening } from './uni-opening.ts';

interface Part {
  readonly recoverable: boolean;
  readonly skipped?: number;
  readonly publications: readonly { readonly data: { readonly n: number } }[];
}

function answerTo(channels: readonly string[]): PollAnswer {
  const opening = uniOpening({ channels, token: '', data: '', name: 'poll', resumed: undefined });
  if (typeof opening === 'string') throw new Error(opening);
  const answer = new PollAnswer(opening);
  answer.add({ id: 1, connect: { client: 'c' } });
  for (const [id, channel] of opening.asked) if (channel !== 'slow') answer.add({ id, subscribe: {} });
  return answer;
}

function publish(answer: PollAnswer, channel: string, n: number, bytes: number): void {
  const data = Buffer.from(JSON.stringify({ n, text: 'x'.repeat(bytes) }));
  answer.add({ push: { channel, pub: { data } } });
}

const partsOf = (answer: PollAnswer): Record<string, Part> =>
  (JSON.parse(answer.body().toString()) as { channels: Record<string, Part> }).channels;

test('BP-1, BP-6: what is in no log piles up within a bound while another channel is asked for, and the rest is told', () => {
  const answer = answerTo(['flood', 'quiet', 'slow']);
  publish(answer, 'quiet', 1, 10);
  for (let n = 1; n <= 10_000; n += 1) publish(answer, 'flood', n, 1_000);
  publish(answer, 'quiet', 2, 10);
  assert.equal(answer.isComplete, false);
  const { flood, quiet } = partsOf(answer);
  assert.ok(answer.body().length <= answerLiveBytesMax + 4_096, `${answer.body().length} bytes`);
  assert.equal(flood?.publications.at(-1)?.data.n, 10_000, 'the newest stays');
  assert.equal((flood?.skipped ?? 0) + (flood?.publications.length ?? 0), 10_000, 'all others are told');
  assert.ok((flood?.publications.length ?? 0) > 100);
  assert.deepEqual(
    [quiet?.publications.length, quiet?.skipped],
    [2, undefined],
    'a flooded channel costs itself alone',
  );
  assert.equal(answer.skipped, flood?.skipped);
});

test('BP-1: small publications count for more than their bytes', () => {
  const answer = answerTo(['flood', 'slow']);
  for (let n = 1; n <= 20_000; n += 1) publish(answer, 'flood', n, 0);
  const { flood } = partsOf(answer);
  assert.ok((flood?.publications.length ?? 0) < 5_000, `${flood?.publications.length} publications`);
  assert.equal((flood?.skipped ?? 0) + (flood?.publications.length ?? 0), 20_000);
});

test('one publication of a channel always fits, however large', () => {
  const answer = answerTo(['one', 'slow']);
  publish(answer, 'one', 1, 2 * answerLiveBytesMax);
  assert.equal(partsOf(answer)['one']?.publications.length, 1);
  publish(answer, 'one', 2, 2 * answerLiveBytesMax);
  assert.deepEqual(
    partsOf(answer)['one']?.publications.map(({ data }) => data.n),
    [2],
  );
  assert.equal(partsOf(answer)['one']?.skipped, 1);
});

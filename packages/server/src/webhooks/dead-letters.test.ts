import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { testFolder } from '@tutti/testkit/test-settings';
import { DeadLetters } from './dead-letters.ts';
import { replayDeadLetters } from './replay.ts';
import type { Outcome } from './webhook-client.ts';

const MiB = 1024 * 1024;

async function folder(t: TestContext): Promise<string> {
  const { path, remove } = await testFolder();
  t.after(remove);
  return join(path, 'app');
}

function lettersIn(path: string, bytesMax = 64 * MiB): DeadLetters {
  return new DeadLetters({ folder: path, bytesMax, onLost: (count, error) => assert.equal(count, 0, String(error)) });
}

const events = (from: number, to: number, padding = ''): Buffer[] =>
  Array.from({ length: to - from + 1 }, (_, i) =>
    Buffer.from(`{"n":${from + i},"big":12345678901234567890${padding}}`),
  );

const numbers = (lines: readonly Uint8Array[]): number[] =>
  lines.map((line) => (JSON.parse(Buffer.from(line).toString()) as { n: number }).n);

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

test('each dead letter is one line that says when, why and what', async (t) => {
  const path = await folder(t);
  const letters = lettersIn(path);
  letters.add(events(1, 2), 'refused', 1_700_000_000_000);
  await letters.settled();
  const file = join(path, 'dead-letters.jsonl');
  assert.equal(
    await readFile(file, 'utf8'),
    [1, 2]
      .map((n) => `{"at":1700000000000,"reason":"refused","event":{"n":${n},"big":12345678901234567890}}\n`)
      .join(''),
  );
  assert.equal((await stat(file)).mode & 0o777, 0o600);
});

test('the files keep within their bound; the newest are kept', async (t) => {
  const path = await folder(t);
  const letters = lettersIn(path, MiB);
  for (let n = 1; n <= 400; n += 1) {
    letters.add(events(n, n, `,"x":"${'y'.repeat(10_000)}"`), 'overflow', 0);
    await letters.settled();
  }
  const names = (await readdir(path)).toSorted();
  assert.deepEqual(names, ['dead-letters.1.jsonl', 'dead-letters.jsonl']);
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(path, name))).size));
  assert.ok(sizes[0]! + sizes[1]! <= MiB, `${sizes.join(' + ')} bytes`);
  assert.match(await readFile(join(path, 'dead-letters.jsonl'), 'utf8'), /"n":400,/);
});

test('what the disk does not take is counted as lost', async (t) => {
  const path = await folder(t);
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, 'a file where the folder should be');
  let lost = 0;
  const letters = new DeadLetters({ folder: path, bytesMax: MiB, onLost: (count) => (lost += count) });
  letters.add(events(1, 5), 'gave_up', 0);
  await letters.settled();
  assert.equal(lost, 5);
});

test('replaying offers them again in their order and unchanged, and then they are gone', async (t) => {
  const path = await folder(t);
  const letters = lettersIn(path, MiB);
  for (let n = 1; n <= 60; n += 1) {
    letters.add(events(n, n, `,"x":"${'y'.repeat(10_000)}"`), 'overflow', 0);
    await letters.settled();
  }
  const sent: Uint8Array[][] = [];
  const send = async (lines: readonly Uint8Array[]): Promise<Outcome> => {
    sent.push([...lines]);
    return { isDelivered: true };
  };
  const report = await replayDeadLetters({ folder: path, batchMax: 10, send }, 1);
  assert.deepEqual(report, { delivered: 60, left: 0 });
  assert.deepEqual(numbers(sent.flat()), range(1, 60));
  assert.match(Buffer.from(sent[0]?.[0] ?? []).toString(), /"big":12345678901234567890/);
  assert.ok(sent.every((lines) => lines.reduce((sum, { length }) => sum + length, 0) < 70_000));
  assert.deepEqual(await readdir(path), []);
  assert.deepEqual(await replayDeadLetters({ folder: path, batchMax: 10, send }, 2), { delivered: 0, left: 0 });
});

test('a replay that fails keeps the rest, ahead of what dies later', async (t) => {
  const path = await folder(t);
  const letters = lettersIn(path);
  letters.add(events(1, 30), 'overflow', 0);
  await letters.settled();
  let sent: number[] = [];
  let failAt = 15;
  const send = async (lines: readonly Uint8Array[]): Promise<Outcome> => {
    if (numbers(lines).includes(failAt)) {
      return { isDelivered: false, reason: 'status', detail: 'status 503', isFinal: false };
    }
    sent.push(...numbers(lines));
    return { isDelivered: true };
  };
  const first = await replayDeadLetters({ folder: path, batchMax: 10, send }, 1);
  assert.deepEqual(first, { delivered: 10, left: 20, problem: 'status 503' });
  letters.add(events(31, 40), 'overflow', 0);
  await letters.settled();
  const second = await replayDeadLetters({ folder: path, batchMax: 10, send }, 2);
  assert.deepEqual(second, { delivered: 0, left: 30, problem: 'status 503' });
  failAt = 0;
  sent = [];
  assert.deepEqual(await replayDeadLetters({ folder: path, batchMax: 10, send }, 3), { delivered: 30, left: 0 });
  assert.deepEqual(sent, range(11, 40));
});

test('a line that was not finished does not stop a replay', async (t) => {
  const path = await folder(t);
  const letters = lettersIn(path);
  letters.add(events(1, 2), 'overflow', 0);
  await letters.settled();
  const file = join(path, 'dead-letters.jsonl');
  await writeFile(file, `${await readFile(file, 'utf8')}{"at":1,"reason":"overflow","event":{"n":3`);
  const sent: number[] = [];
  const send = async (lines: readonly Uint8Array[]): Promise<Outcome> => {
    sent.push(...numbers(lines));
    return { isDelivered: true };
  };
  assert.deepEqual(await replayDeadLetters({ folder: path, batchMax: 10, send }, 1), { delivered: 2, left: 0 });
  assert.deepEqual(sent, [1, 2]);
  assert.deepEqual(await readdir(path), []);
});

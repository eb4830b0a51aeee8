import assert from 'node:assert/strict';
import { appendFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { testFolder } from '@tutti/testkit/test-settings';
import { Spool } from './spool.ts';

async function folder(t: TestContext): Promise<string> {
  const { path, remove } = await testFolder();
  t.after(remove);
  return join(path, 'app');
}

function spoolIn(path: string): Spool {
  return new Spool(path, (error) => {
    throw error;
  });
}

function add(spool: Spool, from: number, to: number, padding = ''): void {
  for (let i = from; i <= to; i += 1) spool.add(Buffer.from(`{"n":${i}${padding}}`));
}

async function left(path: string): Promise<number[]> {
  const lines = await spoolIn(path).load();
  return lines.map((line) => (JSON.parse(Buffer.from(line).toString()) as { n: number }).n);
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

test('what was added and not removed is there after a start, in order', async (t) => {
  const path = await folder(t);
  const spool = spoolIn(path);
  assert.deepEqual(await spool.load(), []);
  add(spool, 1, 10);
  await spool.flush();
  add(spool, 11, 20);
  spool.remove(4);
  await spool.flush();
  assert.deepEqual(await left(path), range(5, 20));
});

test('what is removed before it was written is never written', async (t) => {
  const path = await folder(t);
  const spool = spoolIn(path);
  await spool.load();
  add(spool, 1, 10);
  spool.remove(10);
  await spool.flush();
  assert.deepEqual(await readdir(path), []);
});

test('adding and removing while it writes loses nothing and keeps nothing', async (t) => {
  const path = await folder(t);
  const spool = spoolIn(path);
  await spool.load();
  let added = 0;
  let removed = 0;
  for (let round = 0; round < 200; round += 1) {
    add(spool, added + 1, added + 7);
    added += 7;
    void spool.flush();
    const count = Math.min(round % 11, added - removed);
    spool.remove(count);
    removed += count;
    if (round % 13 === 0) await spool.flush();
  }
  await spool.flush();
  assert.deepEqual(await left(path), range(removed + 1, added));
});

test('files done with are removed, and an empty spool leaves no events behind', async (t) => {
  const path = await folder(t);
  const spool = spoolIn(path);
  await spool.load();
  const padding = `,"x":"${'y'.repeat(200_000)}"`;
  for (let i = 1; i <= 30; i += 1) {
    add(spool, i, i, padding);
    await spool.flush();
  }
  const before = (await readdir(path)).filter((name) => name.endsWith('.jsonl'));
  assert.ok(before.length > 3, `${before.length} files`);
  spool.remove(29);
  await spool.flush();
  assert.equal((await readdir(path)).filter((name) => name.endsWith('.jsonl')).length, 1);
  assert.deepEqual(await left(path), [30]);
  spool.remove(1);
  await spool.flush();
  assert.deepEqual(
    (await readdir(path)).filter((name) => name.endsWith('.jsonl')),
    [],
  );
});

test('a line that was not finished is no event, and what follows it is', async (t) => {
  const path = await folder(t);
  const first = spoolIn(path);
  await first.load();
  add(first, 1, 2);
  await first.flush();
  const [file = ''] = (await readdir(path)).filter((name) => name.endsWith('.jsonl'));
  await appendFile(join(path, file), '{"n":99');
  const second = spoolIn(path);
  assert.equal((await second.load()).length, 2);
  add(second, 3, 4);
  await second.flush();
  assert.deepEqual(await left(path), [1, 2, 3, 4]);
});

test('without a position, or with one that is no position, everything is sent again', async (t) => {
  const path = await folder(t);
  const spool = spoolIn(path);
  await spool.load();
  add(spool, 1, 3);
  await spool.flush();
  spool.remove(2);
  await spool.flush();
  assert.deepEqual(await left(path), [3]);
  await writeFile(join(path, 'spool-position'), 'spool-00000001.jsonl x');
  assert.deepEqual(await left(path), [1, 2, 3]);
  await rm(join(path, 'spool-position'));
  assert.deepEqual(await left(path), [1, 2, 3]);
});

test('a disk that fails is told once, and nothing else happens', async (t) => {
  const path = await folder(t);
  await writeFile(path, 'a file where the folder should be');
  const failures: unknown[] = [];
  const spool = new Spool(path, (error) => failures.push(error));
  assert.deepEqual(await spool.load(), []);
  add(spool, 1, 3);
  spool.remove(1);
  await spool.flush();
  assert.equal(failures.length, 1);
  assert.equal(spool.isWorking, false);
});

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Counters, nullLog } from '@tutti/server/internal';
import { eventually, SeededRandom, VirtualClock } from '@tutti/testkit';
import { testFolder } from '@tutti/testkit/test-settings';
import { DeadLetters } from './dead-letters.ts';
import { Delivery } from './delivery.ts';
import { Spool } from './spool.ts';
import type { Outcome } from './webhook-client.ts';

const delivered: Outcome = { isDelivered: true };
const down: Extract<Outcome, { isDelivered: false }> = {
  isDelivered: false,
  reason: 'network',
  detail: 'nobody there',
  isFinal: false,
};
const refused: Outcome = { isDelivered: false, reason: 'status', detail: 'status 400', isFinal: true };

interface Scene {
  readonly clock: VirtualClock;
  readonly delivery: Delivery;
  readonly counters: Counters;
  /** Numbers of the events of each request. */
  readonly requests: number[][];
  answer: (events: number[]) => Outcome | Promise<Outcome>;
  offer(from: number, to: number): void;
  /** Time passes; files are written meanwhile. */
  pass(ms: number): Promise<void>;
  dead(): Promise<{ reason: string; n: number }[]>;
  /** The same webhook in a new process, over the same folder. */
  again(): Promise<Scene>;
}

interface SceneOptions {
  readonly batchMax?: number;
  readonly queueBytesMax?: number;
}

async function arrange(t: TestContext, options: SceneOptions = {}): Promise<Scene> {
  const { path, remove } = await testFolder();
  t.after(remove);
  return sceneIn(join(path, 'app'), options);
}

async function sceneIn(folder: string, options: SceneOptions): Promise<Scene> {
  const clock = new VirtualClock();
  const counters = new Counters(nullLog);
  const onLost = (count: number, error: unknown): void => assert.equal(count, 0, String(error));
  const deadLetters = new DeadLetters({ folder, bytesMax: 1e9, onLost });
  const spool = new Spool(folder, (error) => {
    throw error;
  });
  const requests: number[][] = [];
  const { batchMax = 10, queueBytesMax = 1e6 } = options;
  const scene: Scene = {
    ...{ clock, counters, requests },
    delivery: new Delivery(
      { webhook: { name: 'app', batchMax, batchDelayMs: 250 }, queueBytesMax, retryTimeMs: 60_000 },
      {
        ...{ clock, random: new SeededRandom(5), telemetry: counters, spool, deadLetters },
        send: async (lines) => {
          const events = lines.map((line) => (JSON.parse(Buffer.from(line).toString()) as { n: number }).n);
          requests.push(events);
          return scene.answer(events);
        },
      },
    ),
    answer: () => delivered,
    offer: (from, to) => {
      for (let n = from; n <= to; n += 1) scene.delivery.offer(Buffer.from(`{"n":${n}}`));
    },
    pass: async (ms) => {
      await clock.advanceAsync(ms);
      await spool.flush();
      await deadLetters.settled();
    },
    dead: async () => {
      await deadLetters.settled();
      const text = await readFile(join(folder, 'dead-letters.jsonl'), 'utf8').catch(() => '');
      const lines = text.split('\n').filter((line) => line !== '');
      return lines.map((line) => {
        const { reason, event } = JSON.parse(line) as { reason: string; event: { n: number } };
        return { reason, n: event.n };
      });
    },
    again: () => sceneIn(folder, options),
  };
  await scene.delivery.start();
  return scene;
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

test('events wait for others to go with them, no longer than the delay', async (t) => {
  const { offer, pass, requests } = await arrange(t);
  offer(1, 3);
  await pass(249);
  assert.deepEqual(requests, []);
  await pass(1);
  assert.deepEqual(requests, [[1, 2, 3]]);
});

test('a full batch goes at once, the rest with the delay; order is kept', async (t) => {
  const { offer, pass, requests } = await arrange(t);
  offer(1, 25);
  await pass(1);
  assert.deepEqual(requests, [range(1, 10), range(11, 20)]);
  await pass(250);
  assert.deepEqual(requests.flat(), range(1, 25));
});

test('one request at a time, however many events come meanwhile', async (t) => {
  const scene = await arrange(t);
  const answers: ((outcome: Outcome) => void)[] = [];
  scene.answer = () => new Promise((resolve) => answers.push(resolve));
  for (let n = 1; n <= 100; n += 1) {
    scene.offer(n, n);
    await scene.pass(10);
  }
  assert.equal(scene.requests.length, 1);
  scene.answer = () => delivered;
  answers[0]?.(delivered);
  await scene.pass(250);
  assert.deepEqual(scene.requests.flat(), range(1, 100));
});

test('what fails is offered again, with longer and longer waits, until it is taken; nothing overtakes it', async (t) => {
  const scene = await arrange(t);
  let failures = 0;
  scene.answer = () => (++failures <= 6 ? down : delivered);
  scene.offer(1, 3);
  await scene.pass(250);
  scene.offer(4, 5);
  await scene.pass(40_000);
  assert.equal(scene.requests.length, 7);
  assert.deepEqual(scene.requests[0], [1, 2, 3]);
  assert.deepEqual(scene.requests.at(-1), range(1, 5));
  assert.equal(scene.counters.snapshot().webhook_events_delivered, 5);
  assert.deepEqual(
    [...scene.counters.labelled('webhook_requests')],
    [
      ['network', 6],
      ['delivered', 1],
    ],
  );
});

test('while it fails it asks seldom: 15 minutes of failing are no flood of requests', async (t) => {
  const scene = await arrange(t);
  scene.answer = () => down;
  for (let second = 0; second < 900; second += 1) {
    scene.offer(second, second);
    await scene.pass(1_000);
  }
  assert.ok(scene.requests.length < 120, `${scene.requests.length} requests`);
});

test('a receiver that asks for time is given it', async (t) => {
  const scene = await arrange(t);
  scene.answer = () => ({ ...down, retryAfterMs: 20_000 });
  scene.offer(1, 1);
  await scene.pass(250);
  await scene.pass(19_000);
  assert.equal(scene.requests.length, 1);
  await scene.pass(1_000);
  assert.equal(scene.requests.length, 2);
});

test('an event that was offered for too long is a dead letter, and what came later is offered on', async (t) => {
  const scene = await arrange(t);
  scene.answer = () => down;
  scene.offer(1, 3);
  await scene.pass(50_000);
  scene.offer(4, 4);
  await scene.pass(50_000);
  assert.deepEqual(
    await scene.dead(),
    [1, 2, 3].map((n) => ({ reason: 'gave_up', n })),
  );
  scene.answer = () => delivered;
  await scene.pass(31_000);
  assert.deepEqual(scene.requests.at(-1), [4]);
  assert.equal(scene.delivery.figures.events, 0);
});

test('one failure after success gives up nothing, however old the events are', async (t) => {
  const scene = await arrange(t, { batchMax: 1 });
  let answers = 0;
  // A receiver so slow that its events are older than the time for which they are offered.
  scene.answer = async () => {
    await new Promise<void>((resolve) => scene.clock.after(30_000, resolve));
    return ++answers === 4 ? down : delivered;
  };
  scene.offer(1, 6);
  await scene.pass(300_000);
  assert.deepEqual(await scene.dead(), []);
  assert.equal(scene.counters.snapshot().webhook_events_delivered, 6);
});

test('a batch that the receiver refuses is a dead letter at once, and does not hold up the others', async (t) => {
  const scene = await arrange(t);
  scene.answer = (events) => (events.includes(2) ? refused : delivered);
  scene.offer(1, 3);
  await scene.pass(250);
  scene.offer(4, 5);
  await scene.pass(250);
  assert.deepEqual(
    await scene.dead(),
    [1, 2, 3].map((n) => ({ reason: 'refused', n })),
  );
  assert.deepEqual(scene.requests, [
    [1, 2, 3],
    [4, 5],
  ]);
});

test('a full queue gives its oldest to the dead letters, and keeps within its bound', async (t) => {
  const queueBytesMax = 10_000;
  const scene = await arrange(t, { queueBytesMax });
  scene.answer = () => down;
  for (let n = 1; n <= 1_000; n += 1) {
    scene.offer(n, n);
    assert.ok(scene.delivery.figures.bytes <= queueBytesMax);
  }
  await scene.pass(250);
  const dead = await scene.dead();
  assert.ok(dead.every(({ reason }) => reason === 'overflow'));
  scene.answer = () => delivered;
  await scene.pass(60_000);
  assert.deepEqual([...dead.map(({ n }) => n), ...new Set(scene.requests.slice(1).flat())], range(1, 1_000));
  assert.equal(scene.counters.snapshot().webhook_events_dead, dead.length);
  assert.equal(scene.counters.snapshot().webhook_events_lost, 0);
});

test('what is taken while the queue overflows is counted once: as dead, and not as delivered, too', async (t) => {
  const scene = await arrange(t, { queueBytesMax: 5_000 });
  let answer: (outcome: Outcome) => void = () => undefined;
  scene.answer = () => new Promise((resolve) => (answer = resolve));
  scene.offer(1, 10);
  await scene.pass(1);
  scene.offer(11, 100);
  scene.answer = () => delivered;
  answer(delivered);
  await scene.pass(1_000);
  const { webhook_events: offered, webhook_events_delivered, webhook_events_dead } = scene.counters.snapshot();
  assert.equal(offered, 100);
  assert.equal(webhook_events_delivered + webhook_events_dead, 100);
});

test('closing delivers what there is', async (t) => {
  const scene = await arrange(t);
  scene.offer(1, 35);
  await scene.delivery.close(3_000);
  assert.deepEqual(scene.requests.flat(), range(1, 35));
});

test('closing waits no longer than it may; what is left is delivered after the next start, in order', async (t) => {
  const scene = await arrange(t);
  scene.answer = () => new Promise(() => undefined);
  scene.offer(1, 35);
  const closed = scene.delivery.close(3_000);
  await scene.clock.advanceAsync(3_000);
  await closed;
  const next = await scene.again();
  next.offer(36, 36);
  await next.pass(1_000);
  assert.deepEqual(next.requests.flat(), range(1, 36));
  await next.delivery.close(0);
  const third = await scene.again();
  await third.pass(1_000);
  assert.deepEqual(third.requests, []);
});

test('closing while it fails does not wait for the back-off', async (t) => {
  const scene = await arrange(t);
  scene.answer = () => down;
  scene.offer(1, 3);
  await scene.pass(30_000);
  const before = scene.requests.length;
  await scene.delivery.close(3_000);
  assert.equal(scene.requests.length, before + 1);
  const next = await scene.again();
  await next.pass(250);
  assert.deepEqual(next.requests, [[1, 2, 3]]);
});

test('a killed process loses no more than one delay held', async (t) => {
  const scene = await arrange(t);
  scene.answer = () => new Promise(() => undefined);
  scene.offer(1, 20);
  await scene.pass(250);
  scene.offer(21, 25);
  // No close: the process is gone.
  const next = await scene.again();
  await next.pass(250);
  assert.deepEqual(next.requests.flat(), range(1, 20));
});

test('the disk follows the queue: after delivery nothing is left to be sent again', async (t) => {
  const scene = await arrange(t);
  for (let n = 1; n <= 50; n += 1) {
    scene.offer(n, n);
    await scene.pass(40);
  }
  await scene.pass(500);
  await eventually(() => scene.delivery.figures.events === 0);
  const next = await scene.again();
  await next.pass(500);
  assert.deepEqual(next.requests, []);
});

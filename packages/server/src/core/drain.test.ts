import assert from 'node:assert/strict';
import { test } from 'node:test';
import { disconnects, type DisconnectKind } from '@tutti/protocol';
import { SeededRandom, VirtualClock } from '@tutti/testkit';
import { Drain, shutdownKind, type Drainable, type DrainProgress } from './drain.ts';

interface Ended {
  readonly id: number;
  readonly atMs: number;
  readonly kind: DisconnectKind;
}

/** Connections that end when told, and a clock that counts from the beginning of the drain. */
function arrange(count: number, overMs: number, clock = new VirtualClock()) {
  const ends: Ended[] = [];
  const progress: DrainProgress[] = [];
  const sessions = Array.from({ length: count }, (_, id) => ({
    id,
    retire(kind: DisconnectKind): void {
      this.disconnect(kind);
    },
    disconnect(kind: DisconnectKind): void {
      ends.push({ id, atMs: clock.monotonic(), kind });
      drain.ended(this);
    },
  }));
  const options = { overMs, onProgress: (now: DrainProgress) => void progress.push(now) };
  const drain = new Drain<Drainable>(sessions, options, {
    clock,
    random: new SeededRandom(11),
  });
  return { clock, ends, progress, sessions, drain };
}

/** Most ends within any second, wherever it begins. */
function mostInASecond(ends: readonly Ended[]): number {
  return Math.max(...ends.map(({ atMs }) => ends.filter((end) => end.atMs >= atMs && end.atMs < atMs + 1_000).length));
}

test('CON-3: 4,000 connections over 20 s: 200 a second and never more, all gone in time', async () => {
  const { clock, ends, drain } = arrange(4_000, 20_000);
  const report = drain.run();
  await clock.runUntilIdleAsync();
  assert.deepEqual(await report, { connections: 4_000, cut: 0, tookMs: 19_900 });
  assert.equal(new Set(ends.map(({ id }) => id)).size, 4_000, 'each once');
  assert.equal(ends.length, 4_000);
  assert.equal(mostInASecond(ends), 200);
  assert.equal(clock.timers, 0);
});

test('CON-3: the order is random', async () => {
  const { clock, ends, drain } = arrange(1_000, 20_000);
  const report = drain.run();
  await clock.runUntilIdleAsync();
  await report;
  const ids = ends.map(({ id }) => id);
  const inOrder = ids.filter((id, at) => at > 0 && id > ids[at - 1]!).length;
  assert.ok(inOrder > 400 && inOrder < 600, `${inOrder} of 999 neighbours are in order: chance says half`);
  const early = ids.slice(0, 100).filter((id) => id < 500).length;
  assert.ok(early > 25 && early < 75, `${early} of the first hundred came first`);
});

test('CON-3: few connections do not take the whole time; none is a drain that is over', async () => {
  for (const [count, mostMs] of [
    [0, 0],
    [10, 0],
    [300, 3_000],
  ] as const) {
    const { clock, ends, drain } = arrange(count, 20_000);
    const report = drain.run();
    await clock.runUntilIdleAsync();
    const { connections, tookMs } = await report;
    assert.equal(connections, count);
    assert.ok(tookMs <= mostMs, `${count}: ${tookMs} ms`);
    if (count > 0) assert.ok(mostInASecond(ends) <= 110);
  }
});

test('CON-3: each is told when to return, not all the same, and old clients understand the code', async () => {
  const { clock, ends, drain } = arrange(500, 5_000);
  const report = drain.run();
  await clock.runUntilIdleAsync();
  await report;
  const hints = ends.map(({ kind }) => Number(/^shutdown; retry=(\d+)$/.exec(kind.reason)?.[1]));
  assert.ok(hints.every((hint) => hint >= 500 && hint <= 2_500));
  assert.ok(new Set(hints).size > 300);
  assert.ok(ends.every(({ kind }) => kind.code === disconnects.shutdown.code));
  assert.ok(shutdownKind(new SeededRandom(1)).reason.length <= 123, 'what a close frame has room for');
});

test('CON-3: a node that stalled does not catch up: it takes longer, and no second has twice the plan', async () => {
  const clock = new VirtualClock();
  const { ends, drain } = arrange(4_000, 20_000, clock);
  const report = drain.run();
  for (let i = 0; i < 10; i += 1) {
    await clock.advanceAsync(1_000);
    clock.pass(3_000); // nothing runs for three seconds
  }
  await clock.runUntilIdleAsync();
  assert.ok((await report).tookMs > 20_000);
  assert.ok(mostInASecond(ends) <= 2 * 200, `${mostInASecond(ends)}`);
});

test('CON-3: who leaves by itself is not waited for, and nobody goes sooner for it', async () => {
  const { clock, ends, sessions, drain } = arrange(1_000, 10_000);
  const report = drain.run();
  const stay = new Set(sessions.filter(({ id }) => id % 2 === 0));
  for (const session of sessions) if (!stay.has(session)) drain.ended(session);
  await clock.runUntilIdleAsync();
  await report;
  assert.ok(ends.length < 520, 'only those of the first wave were closed among those who left');
  assert.ok(mostInASecond(ends) <= 100);
});

test('CON-3: progress comes at the start, about once a second, and at the end', async () => {
  const { clock, progress, drain } = arrange(1_000, 10_000);
  const report = drain.run();
  await clock.runUntilIdleAsync();
  await report;
  assert.equal(progress.length, 11);
  assert.deepEqual(progress[0], { connections: 1_000, left: 990, perSecondMax: 100 });
  assert.equal(progress.at(-1)?.left, 0);
});

test('CON-3: commands under way are answered before their connection ends; who hangs is cut, and counted', async () => {
  const clock = new VirtualClock();
  const events: string[] = [];
  const retiring = (name: string, answerMs: number) => ({
    retire(kind: DisconnectKind): void {
      events.push(`${name} retires`);
      if (answerMs === Infinity) return;
      clock.after(answerMs, () => {
        events.push(`${name} is answered`);
        this.disconnect(kind);
      });
    },
    disconnect(_kind: DisconnectKind): void {
      events.push(`${name} ends`);
      drain.ended(this);
    },
  });
  const sessions = [retiring('slow', 2_000), retiring('hangs', Infinity)];
  const drain = new Drain<(typeof sessions)[number]>(
    sessions,
    { overMs: 1_000 },
    { clock, random: new SeededRandom(3) },
  );
  const report = drain.run();
  await clock.runUntilIdleAsync();
  const { cut, tookMs } = await report;
  assert.deepEqual(events.slice(2), ['slow is answered', 'slow ends', 'hangs ends']);
  assert.equal(cut, 1);
  assert.ok(tookMs >= 5_000 && tookMs < 5_200);
});

test('CON-3: a drain time of 0 closes all at once', async () => {
  const { clock, ends, drain } = arrange(5_000, 0);
  const report = drain.run();
  await clock.runUntilIdleAsync();
  assert.deepEqual(await report, { connections: 5_000, cut: 0, tookMs: 0 });
  assert.equal(ends.length, 5_000);
});

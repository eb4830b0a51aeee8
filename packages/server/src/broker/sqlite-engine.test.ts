import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { Fault } from '../core/fault.ts';
import { databasePath, openDatabase } from './sqlite-database.ts';
import { LogEngine } from './sqlite-engine.ts';
import { isFaultData, outcomeCodes, type Page, type PublishWrite, type Read, type Turn } from './sqlite-messages.ts';
import { deletesMax } from './sqlite-retention.ts';

const day = 24 * 3_600_000;

function folder(context: TestContext): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'tutti-engine-'));
  context.after(() => rmSync(dataDir, { recursive: true }));
  return dataDir;
}

function engineIn(dataDir: string, open = openDatabase, generation = 'g'): LogEngine {
  return new LogEngine({ dataDir, generation, idempotencyWindowMs: day, channelMetaTtlMs: 30 * day }, open);
}

function write(change: Partial<PublishWrite> = {}): PublishWrite {
  return {
    kind: 'publish',
    channel: 'a',
    atMs: 1_000,
    payloadBytes: 1,
    envelope: null,
    key: null,
    retention: { size: 100_000, ttlMs: day },
    expected: null,
    ...change,
  };
}

function turn(change: Partial<Turn>): Turn {
  const bytes = (change.writes ?? []).reduce((sum, each) => sum + (each.kind === 'publish' ? each.payloadBytes : 0), 0);
  return {
    kind: 'turn',
    nowMs: 1_000,
    writes: [],
    payloads: new Uint8Array(bytes),
    reads: [],
    sweep: false,
    ...change,
  };
}

const readAll: Read = { channel: 'a', since: null, limit: 1_000_000, bytesMax: null, reverse: false };

function offsets(engine: LogEngine, nowMs = 1_000): number[] {
  const [page] = engine.run(turn({ nowMs, reads: [readAll] })).pages;
  assert.ok(page !== undefined && !isFaultData(page), JSON.stringify(page));
  return page.rows.map(([offset]) => offset);
}

function codes(engine: LogEngine, change: Partial<Turn>): number[] {
  const { outcomes } = engine.run(turn(change));
  assert.ok(!isFaultData(outcomes), JSON.stringify(outcomes));
  return [...outcomes].filter((_, i) => i % 3 === 0);
}

/** Makes one kind of statement fail, the way SQLite reports it. */
function failing(dataDir: string, sql: string, errcode: number, when: { fail: boolean; opened: number }): DatabaseSync {
  const db = openDatabase(dataDir);
  when.opened++;
  const prepare = db.prepare.bind(db);
  db.prepare = (text, ...more) => {
    const statement = prepare(text, ...more);
    if (!text.startsWith(sql)) return statement;
    const run = statement.run.bind(statement);
    statement.run = (...values: unknown[]) => {
      if (!when.fail) return run(...(values as SQLInputValue[]));
      throw Object.assign(new Error('made to fail'), { code: 'ERR_SQLITE_ERROR', errcode });
    };
    return statement;
  };
  return db;
}

test('DEL-5: after a failed fsync the outcome is unknown, and the engine is over; the next finds what is there', (context) => {
  const ioErrorFsync = 1_034;
  const dataDir = folder(context);
  const when = { fail: false, opened: 0 };
  const engine = engineIn(dataDir, () => failing(dataDir, 'COMMIT', ioErrorFsync, when));
  codes(engine, { writes: [write()] });
  when.fail = true;
  assert.throws(
    () => engine.run(turn({ writes: [write(), write()] })),
    (error) => error instanceof Fault && error.retryable && /outcome is unknown/.test(error.message),
  );
  const next = engineIn(dataDir);
  assert.deepEqual(offsets(next), [1]);
  assert.deepEqual(codes(next, { writes: [write()] }), [outcomeCodes.appended]);
  assert.deepEqual(offsets(next), [1, 2]);
  next.close();
});

test('DEL-3: a folder that was restored while the engine failed gets the generation of the next one', (context) => {
  const dataDir = folder(context);
  const when = { fail: false, opened: 0 };
  const engine = engineIn(dataDir, () => failing(dataDir, 'COMMIT', 10, when));
  codes(engine, { writes: [write()] });
  when.fail = true;
  assert.throws(() => engine.run(turn({ writes: [write()] })), Fault);
  const file = databasePath(dataDir);
  cpSync(file, `${file}.copy`);
  renameSync(`${file}.copy`, file);
  const next = engineIn(dataDir, openDatabase, 'another');
  assert.deepEqual(next.opened, { kind: 'opened', generation: 'another', isCopy: true });
  next.close();
});

test('a full disk in mid-transaction: all of it is undone, memory included, without opening anew', (context) => {
  const full = 13;
  const when = { fail: false, opened: 0 };
  const engine = engineIn(folder(context), (dataDir) => failing(dataDir, 'UPDATE channel', full, when));
  codes(engine, { writes: [write(), write({ key: 'k' })] });
  when.fail = true;
  const { outcomes, pages } = engine.run(turn({ writes: [write(), write({ channel: 'new' })], reads: [readAll] }));
  assert.ok(isFaultData(outcomes) && outcomes.retryable && /disk full/.test(outcomes.message));
  assert.equal((pages[0] as Page).rows.length, 2, 'reads go on');
  when.fail = false;
  assert.deepEqual(codes(engine, { writes: [write(), write({ channel: 'new' })] }), [1, 1]);
  assert.deepEqual(offsets(engine), [1, 2, 3]);
  assert.equal(when.opened, 1);
  engine.close();
});

test('reads: a turn brings about so many bytes, and leaves the other reads to the next', (context) => {
  const engine = engineIn(folder(context));
  codes(engine, { writes: Array.from({ length: 100 }, () => write({ payloadBytes: 10_000 })) });
  const { pages } = engine.run(turn({ reads: [readAll, readAll] }));
  assert.equal(pages.length, 1, 'a page is whole, whatever its size');
  assert.equal((pages[0] as Page).rows.length, 100);
  const page = { ...readAll, bytesMax: 200_000 };
  assert.equal(engine.run(turn({ reads: Array.from({ length: 64 }, () => page) })).pages.length, 3);
  const top = { ...readAll, limit: 0 };
  assert.equal(engine.run(turn({ reads: Array.from({ length: 64 }, () => top) })).pages.length, 64);
  engine.close();
});

test('retention: a transaction deletes a bounded number of rows, what may be read moves at once', (context) => {
  const dataDir = folder(context);
  const engine = engineIn(dataDir);
  const count = deletesMax * 2 + 500;
  codes(engine, { writes: Array.from({ length: count }, () => write()) });
  codes(engine, { writes: [write({ retention: { size: 3, ttlMs: day } })] });
  assert.deepEqual(offsets(engine), [count - 1, count, count + 1]);
  const sweeps: boolean[] = [];
  do sweeps.push(engine.run(turn({ sweep: true })).sweepAgain);
  while (sweeps.at(-1) === true && sweeps.length < 20);
  assert.deepEqual(sweeps, [true, false]);
  engine.close();
  const db = openDatabase(dataDir);
  assert.equal(db.prepare('SELECT count(*) AS rows FROM publication').get()?.rows, 3);
  db.close();
});

test('retention by age: the sweep removes rows nobody asks for, then the channel, and changes the life (DEL-3)', (context) => {
  const dataDir = folder(context);
  const engine = engineIn(dataDir);
  const short = { size: 10, ttlMs: 5_000 };
  codes(engine, { writes: [write({ retention: short }), write({ channel: 'b', retention: short, key: 'k' })] });
  assert.equal(engine.run(turn({ nowMs: 5_999, sweep: true })).sweepAgain, false);
  assert.deepEqual(offsets(engine, 5_999), [1]);
  engine.run(turn({ nowMs: 6_000, sweep: true }));
  const top = (nowMs: number): [number, number] => {
    const page = engine.run(turn({ nowMs, reads: [readAll] })).pages[0] as Page;
    return [page.top, page.life];
  };
  assert.deepEqual(top(6_000), [1, 0]);
  engine.run(turn({ nowMs: 30 * day + 999, sweep: true }));
  assert.deepEqual(top(30 * day + 999), [1, 0]);
  engine.run(turn({ nowMs: 30 * day + 1_000, sweep: true }));
  assert.deepEqual(top(30 * day + 1_000), [0, 1]);
  engine.close();
  const again = engineIn(dataDir);
  const db = again.run(turn({ reads: [readAll] })).pages[0] as Page;
  assert.equal(db.life, 1, 'the life is in the database');
  again.close();
  const raw = openDatabase(dataDir);
  for (const table of ['publication', 'channel', 'outcome']) {
    assert.equal(raw.prepare(`SELECT count(*) AS rows FROM ${table}`).get()?.rows, 0, table);
  }
  raw.close();
});

test('what a removal leaves is deleted by the sweep', (context) => {
  const dataDir = folder(context);
  const engine = engineIn(dataDir);
  codes(engine, { writes: Array.from({ length: 1_500 }, () => write()) });
  codes(engine, { writes: [{ kind: 'remove', channel: 'a' }] });
  assert.deepEqual(offsets(engine), []);
  engine.run(turn({ sweep: true }));
  engine.close();
  const db = openDatabase(dataDir);
  assert.equal(db.prepare('SELECT count(*) AS rows FROM publication').get()?.rows, 0);
  db.close();
});

test('idempotency keys past the window are deleted in bounded steps', (context) => {
  const dataDir = folder(context);
  const engine = engineIn(dataDir);
  const writes = Array.from({ length: deletesMax + 10 }, (_, i) => write({ key: `${i}`, retention: null }));
  codes(engine, { writes });
  assert.equal(engine.run(turn({ nowMs: day + 999, sweep: true })).sweepAgain, false);
  assert.equal(engine.run(turn({ nowMs: day + 1_000, sweep: true })).sweepAgain, true);
  assert.equal(engine.run(turn({ nowMs: day + 1_000, sweep: true })).sweepAgain, false);
  engine.close();
  const db = openDatabase(dataDir);
  assert.equal(db.prepare('SELECT count(*) AS rows FROM outcome').get()?.rows, 0);
  db.close();
});

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Fault } from '../core/fault.ts';
import { SystemClock } from '../runtime/system-clock.ts';
import { SystemRandom } from '../runtime/system-random.ts';
import type { LivePublication, PublishOutcome } from './broker.ts';
import { SqliteLogBroker, type SqliteLogBrokerOptions } from './sqlite-log.ts';

const history = { size: 1_000, ttlMs: 3_600_000 };

function folder(context: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'tutti-log-'));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  const dataDir = join(root, 'data');
  mkdirSync(dataDir);
  return dataDir;
}

function makeBroker(dataDir: string, options: Partial<SqliteLogBrokerOptions> = {}): SqliteLogBroker {
  return new SqliteLogBroker({ dataDir, clock: new SystemClock(), random: new SystemRandom(), ...options });
}

async function started(dataDir: string, options: Partial<SqliteLogBrokerOptions> = {}): Promise<SqliteLogBroker> {
  const broker = makeBroker(dataDir, options);
  await broker.start({ publication: () => {} });
  return broker;
}

function publish(broker: SqliteLogBroker, bytes = 1, channel = 'a'): Promise<PublishOutcome> {
  return broker.publish(channel, { data: new Uint8Array(bytes) }, { history });
}

/** A log with warnings collected. */
function collecting(warnings: string[]): NonNullable<SqliteLogBrokerOptions['log']> {
  const ignore = (): void => {};
  return { debug: ignore, info: ignore, warn: (_fields, message) => warnings.push(message), error: ignore };
}

test('DEL-5: positions, epoch and keys outlive the process that made them', async (context) => {
  const dataDir = folder(context);
  const first = await started(dataDir);
  const { position } = await first.publish('a', { data: new Uint8Array([7]) }, { history, idempotencyKey: 'k' });
  await first.close();
  const warnings: string[] = [];
  const second = await started(dataDir, { log: collecting(warnings) });
  const page = await second.history('a', { limit: 10 });
  assert.deepEqual(page.top, position);
  assert.deepEqual([...(page.publications[0]?.data ?? [])], [7]);
  const retry = await second.publish('a', { data: new Uint8Array([7]) }, { history, idempotencyKey: 'k' });
  assert.deepEqual(retry, { position, duplicate: true });
  assert.deepEqual((await publish(second)).position, { offset: 2, epoch: position?.epoch });
  assert.deepEqual(warnings, []);
  await second.close();
});

test('an empty channel keeps its epoch over a restart', async (context) => {
  const dataDir = folder(context);
  const first = await started(dataDir);
  const { top } = await first.history('a', { limit: 0 });
  await first.close();
  const second = await started(dataDir);
  assert.deepEqual((await second.history('a', { limit: 0 })).top, top);
  await second.close();
});

test('close leaves one file', async (context) => {
  const dataDir = folder(context);
  const broker = await started(join(dataDir, 'made', 'here'));
  await publish(broker);
  await broker.close();
  assert.deepEqual(readdirSync(join(dataDir, 'made', 'here')), ['log.db']);
});

test('a second broker in the same process is refused', async (context) => {
  const dataDir = folder(context);
  const first = await started(dataDir);
  const second = makeBroker(dataDir);
  await assert.rejects(second.start({ publication: () => {} }), Fault);
  await second.close();
  assert.equal((await publish(first)).position?.offset, 1, 'the first is not disturbed');
  await first.close();
  const third = await started(dataDir);
  assert.equal((await publish(third)).position?.offset, 2);
  await third.close();
});

test('a second process is refused, and told the folder and who holds it', { timeout: 30_000 }, async (context) => {
  const dataDir = folder(context);
  const holder = spawnHolder(dataDir);
  context.after(() => holder.kill('SIGKILL'));
  await once(holder.stdout, 'data');
  // As a node writes it, and as the command `tutti` does for `tutti drain`.
  for (const written of [`${holder.pid}\n`, JSON.stringify({ pid: holder.pid, began: '', url: '', metricsUrl: '' })]) {
    writeFileSync(join(dataDir, 'tutti.pid'), written);
    await assert.rejects(makeBroker(dataDir).start({ publication: () => {} }), (error) => {
      assert.ok(error instanceof Fault && !error.retryable);
      assert.ok(error.message.includes(dataDir), error.message);
      assert.ok(error.message.includes(`process ${holder.pid}`), error.message);
      return true;
    });
  }
  // The lock dies with its process; the file that names it stays and must not matter.
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  assert.ok(readdirSync(dataDir).includes('tutti.pid'));
  const broker = await started(dataDir);
  await broker.close();
});

test('what is no database is refused clearly', async (context) => {
  const dataDir = folder(context);
  writeFileSync(join(dataDir, 'log.db'), 'this is a text, and long enough not to be taken for an empty database');
  await assert.rejects(
    started(dataDir),
    (error) => error instanceof Fault && /damaged or no database/.test(error.message),
  );
});

test('DEL-3: a copied folder has the history, under other epochs', async (context) => {
  const [original, copy] = [folder(context), join(folder(context), 'copy')];
  const first = await started(original);
  const { position } = await first.publish('a', { data: new Uint8Array([7]) }, { history, idempotencyKey: 'k' });
  await first.close();
  cpSync(original, copy, { recursive: true });
  await expectCopy(copy, 1, position?.epoch);
  const again = await started(original);
  assert.deepEqual((await again.history('a', { limit: 0 })).top, position, 'the original keeps its epoch');
  await again.close();
});

test('DEL-3: so has a copy taken after kill -9, write-ahead log and all', { timeout: 30_000 }, async (context) => {
  const [original, copy] = [folder(context), join(folder(context), 'copy')];
  const holder = spawnHolder(original);
  context.after(() => holder.kill('SIGKILL'));
  await once(holder.stdout, 'data');
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  cpSync(original, copy, { recursive: true });
  assert.ok(readdirSync(copy).includes('log.db-wal'));
  const first = await started(original);
  const { top } = await first.history('a', { limit: 0 });
  await first.close();
  await expectCopy(copy, 1, top.epoch);
});

/** Opens a copy: history and keys are there, the epoch is new, and it is so only once. */
async function expectCopy(copy: string, offset: number, epoch: string | undefined): Promise<void> {
  const warnings: string[] = [];
  const broker = await started(copy, { log: collecting(warnings) });
  const page = await broker.history('a', { limit: 10 });
  assert.equal(page.publications.length, offset);
  assert.equal(page.top.offset, offset);
  assert.notEqual(page.top.epoch, epoch);
  assert.equal(warnings.length, 1);
  const next = await publish(broker);
  assert.deepEqual(next.position, { offset: offset + 1, epoch: page.top.epoch });
  await broker.close();
  const reopened = await started(copy, { log: collecting(warnings) });
  assert.deepEqual((await reopened.history('a', { limit: 0 })).top, next.position);
  assert.equal(warnings.length, 1);
  await reopened.close();
}

test('beyond pendingBytesMax a publish is refused, and accepted again when there is room', async (context) => {
  const broker = await started(folder(context), { pendingBytesMax: 10_000 });
  const accepted = [publish(broker, 4_000), publish(broker, 4_000)];
  await assert.rejects(publish(broker, 4_000), (error) => {
    assert.ok(error instanceof Fault && error.retryable);
    assert.match(error.message, /overloaded/);
    return true;
  });
  assert.deepEqual(
    (await Promise.all(accepted)).map(({ position }) => position?.offset),
    [1, 2],
  );
  assert.equal((await publish(broker, 4_000)).position?.offset, 3);
  await broker.close();
});

test(
  'a thread that dies fails what waited for it; the next call starts another',
  { timeout: 30_000 },
  async (context) => {
    const dataDir = folder(context);
    const workers: Worker[] = [];
    const live: LivePublication[] = [];
    const broker = makeBroker(dataDir, {
      launch: (start) => {
        const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), { workerData: start });
        workers.push(worker);
        return worker;
      },
    });
    await broker.start({ publication: (each) => live.push(each) });
    await broker.subscribe('a');
    const before = await publish(broker);
    const waiting = [...Array.from({ length: 500 }, () => publish(broker)), broker.history('a', { limit: 1 })];
    const settled = Promise.allSettled(waiting);
    await workers[0]?.terminate();
    const failed = (await settled).filter(({ status }) => status === 'rejected');
    assert.ok(failed.length > 0);
    for (const each of failed) {
      assert.ok(each.status === 'rejected' && each.reason instanceof Fault && each.reason.retryable);
    }
    const after = await publish(broker);
    assert.equal(workers.length, 2);
    assert.equal(after.position?.epoch, before.position?.epoch);
    const page = await broker.history('a', { limit: 1_000 });
    assert.deepEqual(
      page.publications.map(({ offset }) => offset),
      Array.from({ length: page.top.offset }, (_, i) => i + 1),
    );
    assert.equal(live.at(-1)?.previousOffset, page.top.offset - 1, 'who missed something live can see it (DEL-7)');
    await broker.close();
  },
);

test('close while the thread dies does not hang', { timeout: 30_000 }, async (context) => {
  let worker: Worker | undefined;
  const broker = await started(folder(context), {
    launch: (start) => (worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), { workerData: start })),
  });
  const waiting = Promise.allSettled(Array.from({ length: 1_000 }, () => publish(broker)));
  const closing = broker.close().catch((error: unknown) => error);
  await worker?.terminate();
  await waiting;
  assert.ok((await closing) instanceof Fault);
  await broker.close();
});

/** Another process with the folder open and one publication in it; says so on its standard output. */
function spawnHolder(dataDir: string) {
  const url = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  const program = `
    import { SqliteLogBroker } from ${url('./sqlite-log.ts')};
    import { SystemClock } from ${url('../runtime/system-clock.ts')};
    import { SystemRandom } from ${url('../runtime/system-random.ts')};
    const broker = new SqliteLogBroker({
      dataDir: ${JSON.stringify(dataDir)}, clock: new SystemClock(), random: new SystemRandom(),
    });
    await broker.start({ publication: () => {} });
    await broker.publish('a', { data: new Uint8Array(1) }, { history: { size: 10, ttlMs: 3600000 } });
    console.log('open');
  `;
  // Beside the folder, not by --eval: a worker thread inherits the flags, and refuses that one.
  const file = `${dataDir}.mjs`;
  writeFileSync(file, program);
  return spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
}

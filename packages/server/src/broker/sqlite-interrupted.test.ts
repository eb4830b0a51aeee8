import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Worker } from 'node:worker_threads';
import { eventually, VirtualClock } from '@tutti/testkit';
import { CoreNode } from '@tutti/testkit/core-node';
import type { MemoryConnection } from '@tutti/testkit/memory-connection';
import { Fault } from '../core/fault.ts';
import { SystemClock } from '../runtime/system-clock.ts';
import { SystemRandom } from '../runtime/system-random.ts';
import type { Launch } from './sqlite-link.ts';
import { SqliteLogBroker } from './sqlite-log.ts';
import type { Answer } from './sqlite-messages.ts';

const channel = 'chat:general';
const data = Buffer.from('"hello"');

function folder(context: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'tutti-interrupted-'));
  context.after(() => rmSync(root, { recursive: true, force: true }));
  return join(root, 'data');
}

function launchReal(start: unknown): Worker {
  return new Worker(new URL('./sqlite-worker.ts', import.meta.url), { workerData: start });
}

/** The thread commits the first write, and dies before its answer gets out. The next ones live. */
function dyingAfterCommit(launched: Worker[]): Launch {
  return (start) => {
    const worker = launchReal(start);
    if (launched.push(worker) > 1) return worker;
    const on = worker.on.bind(worker);
    let isDead = false;
    const swallow = (answer: Answer): boolean => {
      isDead ||= answer.kind === 'turn' && 'length' in answer.outcomes && answer.outcomes.length > 0;
      if (isDead) void worker.terminate();
      return isDead;
    };
    const unlessSwallowed = (listener: (answer: Answer) => void) => (answer: Answer) => {
      if (!swallow(answer)) listener(answer);
    };
    worker.on = ((event: string, listener: (answer: Answer) => void) =>
      on(event, event === 'message' ? unlessSwallowed(listener) : listener)) as typeof on;
    return worker;
  };
}

/** The first thread's COMMIT takes effect and is reported as failed: its outcome is unknown. */
function commitInDoubt(dataDir: string, launched: Worker[]): Launch {
  const url = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  const program = `
    import { parentPort, workerData } from 'node:worker_threads';
    import { openDatabase } from ${url('./sqlite-database.ts')};
    import { LogEngine } from ${url('./sqlite-engine.ts')};
    import { serveLog } from ${url('./sqlite-serve.ts')};
    const open = (dataDir) => {
      const db = openDatabase(dataDir);
      const prepare = db.prepare.bind(db);
      db.prepare = (sql) => {
        const statement = prepare(sql);
        if (sql === 'COMMIT') {
          const run = statement.run.bind(statement);
          statement.run = () => {
            run();
            throw Object.assign(new Error('fsync failed'), { code: 'ERR_SQLITE_ERROR', errcode: 1034 });
          };
        }
        return statement;
      };
      return db;
    };
    serveLog(parentPort, () => new LogEngine(workerData, open));
  `;
  const file = `${dataDir}.mjs`;
  writeFileSync(file, program);
  return (start) => {
    const worker = launched.length === 0 ? new Worker(file, { workerData: start }) : launchReal(start);
    launched.push(worker);
    return worker;
  };
}

async function seenBy(peer: MemoryConnection, clock: VirtualClock): Promise<number[]> {
  await clock.advanceAsync(1);
  return peer.offsets(channel);
}

for (const [name, makeLaunch] of [
  ['the thread dies between commit and answer', (_dataDir: string, launched: Worker[]) => dyingAfterCommit(launched)],
  ['the outcome of a commit is unknown', commitInDoubt],
] as const) {
  test(
    `DEL-5, DEL-7: ${name}: who stayed is given the publication that the retry is acknowledged for`,
    { timeout: 30_000 },
    async (context) => {
      const dataDir = folder(context);
      const launched: Worker[] = [];
      const launch = makeLaunch(dataDir, launched);
      const broker = new SqliteLogBroker({ dataDir, clock: new SystemClock(), random: new SystemRandom(), launch });
      const clock = new VirtualClock();
      const core = await CoreNode.start({ clock, broker, namespaces: { chat: { historySize: 100, durable: true } } });
      const peer = core.connect('ann');
      await clock.advanceAsync(0);
      const [id] = peer.command({ subscribe: { channel } });
      await eventually(async () => {
        await clock.advanceAsync(1);
        return peer.replyTo(id)?.subscribe;
      });
      const extras = { idempotencyKey: 'k' };
      await assert.rejects(core.node.publish(channel, { data }, extras), (error) => {
        assert.ok(error instanceof Fault && error.retryable && /outcome is unknown/.test(error.message), String(error));
        return true;
      });
      const retry = await core.node.publish(channel, { data }, extras);
      assert.deepEqual([retry.duplicate, retry.position?.offset], [true, 1]);
      await eventually(async () => (await seenBy(peer, clock)).length > 0, {
        what: 'the publication reaches who stayed',
      });
      await core.node.publish(channel, { data });
      await eventually(async () => (await seenBy(peer, clock)).length > 1);
      assert.deepEqual(peer.offsets(channel), [1, 2]);
      assert.equal(launched.length, 2);
      core.node.stop();
      await broker.close();
    },
  );
}

test(
  'DEL-7: after a commit in doubt the log is opened again at once, whether or not somebody retries',
  { timeout: 30_000 },
  async (context) => {
    const dataDir = folder(context);
    const told = Promise.withResolvers<undefined>();
    const broker = new SqliteLogBroker({
      dataDir,
      clock: new SystemClock(),
      random: new SystemRandom(),
      launch: dyingAfterCommit([]),
    });
    await broker.start({ publication: () => {}, interrupted: () => told.resolve(undefined) });
    const history = { size: 10, ttlMs: 60_000 };
    await assert.rejects(broker.publish(channel, { data }, { history }), Fault);
    await told.promise;
    assert.equal((await broker.history(channel, { limit: 0 })).top.offset, 1);
    await broker.close();
  },
);

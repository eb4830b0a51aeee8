import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { SystemClock } from '../runtime/system-clock.ts';
import { SystemRandom } from '../runtime/system-random.ts';
import { SqliteLogBroker } from './sqlite-log.ts';

const rounds = 6;
const channels = ['a', 'b', 'c'];
const history = { size: 1_000_000, ttlMs: 3_600_000 };

interface Ack {
  readonly channel: string;
  readonly key: string;
  readonly offset: number;
}

/** Publishes for ever, the key as payload, and writes each acknowledgement to its standard output; waits while nobody reads. */
function spawnPublisher(dataDir: string, round: number) {
  const url = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
  const program = `
    import { SqliteLogBroker } from ${url('./sqlite-log.ts')};
    import { SystemClock } from ${url('../runtime/system-clock.ts')};
    import { SystemRandom } from ${url('../runtime/system-random.ts')};
    const broker = new SqliteLogBroker({
      dataDir: ${JSON.stringify(dataDir)}, clock: new SystemClock(), random: new SystemRandom(),
    });
    await broker.start({ publication: () => {} });
    let number = 0;
    const publisher = async () => {
      for (;;) {
        const channel = ${JSON.stringify(channels)}[number % ${channels.length}];
        const idempotencyKey = '${round}-' + number++;
        const data = new TextEncoder().encode(idempotencyKey);
        const { position } = await broker.publish(channel, { data }, { history: ${JSON.stringify(history)}, idempotencyKey });
        const line = JSON.stringify({ channel, key: idempotencyKey, offset: position.offset }) + '\\n';
        await new Promise((resolve) => process.stdout.write(line, resolve));
      }
    };
    for (let i = 0; i < 20; i++) void publisher();
  `;
  // Beside the folder, not by --eval: a worker thread inherits the flags, and refuses that one.
  const file = `${dataDir}.mjs`;
  writeFileSync(file, program);
  return spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Kills the publisher with the first acknowledgement after `count`; returns all that came out. */
async function publishUntilKilled(dataDir: string, round: number, count: number): Promise<Ack[]> {
  const child = spawnPublisher(dataDir, round);
  const exited = once(child, 'exit');
  const acks: Ack[] = [];
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      // The kill may cut the last line in two: then it says nothing.
      if (line.endsWith('}')) acks.push(JSON.parse(line) as Ack);
      if (acks.length === count) child.kill('SIGKILL');
    }
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
  assert.ok(acks.length >= count, `the publisher ended by itself after ${acks.length} acknowledgements`);
  return acks;
}

async function verify(dataDir: string, acks: readonly Ack[], epochs: Set<string>): Promise<void> {
  const broker = new SqliteLogBroker({ dataDir, clock: new SystemClock(), random: new SystemRandom() });
  await broker.start({ publication: () => {} });
  try {
    for (const channel of channels) {
      const page = await broker.history(channel, { limit: 1_000_000 });
      const stored = page.publications.map(({ data }) => Buffer.from(data).toString());
      epochs.add(page.top.epoch);
      assert.deepEqual(
        page.publications.map(({ offset }) => offset),
        stored.map((_, i) => i + 1),
      );
      assert.equal(new Set(stored).size, stored.length, 'nothing is there twice');
      const mine = acks.filter((ack) => ack.channel === channel);
      for (const { key, offset } of mine) assert.equal(stored[offset - 1], key, `${channel} ${offset}`);
      for (const { key, offset } of mine.slice(-20)) {
        const draft = { data: new Uint8Array(1) };
        const retry = await broker.publish(channel, draft, { history, idempotencyKey: key });
        assert.deepEqual(retry, { position: { offset, epoch: page.top.epoch }, duplicate: true });
      }
    }
  } finally {
    await broker.close();
  }
}

test(
  `DEL-5, DEL-6: kill -9 at a random moment, ${rounds} times: nothing acknowledged is lost or doubled`,
  {
    timeout: 120_000,
  },
  async (context) => {
    const root = mkdtempSync(join(tmpdir(), 'tutti-crash-'));
    context.after(() => rmSync(root, { recursive: true }));
    const dataDir = join(root, 'data');
    const acks: Ack[] = [];
    const epochs = new Set<string>();
    for (let round = 0; round < rounds; round++) {
      acks.push(...(await publishUntilKilled(dataDir, round, 1 + Math.floor(Math.random() * 2_000))));
      await verify(dataDir, acks, epochs);
    }
    assert.equal(epochs.size, 1, 'a crash is no reason for a new epoch');
    context.diagnostic(`${acks.length} acknowledged publications survived ${rounds} kills`);
  },
);

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { connectClient, eventually, smallDisk, startNode, testSettings, type StartedNode } from '@tutti/testkit';
import { SqliteLogBroker } from '../broker/sqlite-log.ts';
import { defaultSettings } from '../config/index.ts';
import { Canaries } from '../core/canary.ts';
import { SystemClock } from '../runtime/system-clock.ts';
import { SystemRandom } from '../runtime/system-random.ts';
import { canariesOf } from './canaries.ts';

const timeout = 60_000;
const canaryIntervalMs = 100;

interface Ready {
  ready: boolean;
  checks: { name: string; ok: boolean; since: string; reason?: string }[];
}

async function readiness(node: StartedNode): Promise<Ready & { status: number; text: string }> {
  const response = await fetch(`${node.url}/ready`);
  const text = await response.text();
  return { ...(JSON.parse(text) as Ready), status: response.status, text };
}

test(
  'a full disk: not ready, saying which and since when, and ready when there is room again',
  { timeout },
  async (t) => {
    const dataDir = smallDisk(t);
    if (dataDir === undefined) return;
    const node = await startNode({
      dataDir,
      settings: { canaryIntervalMs },
      namespaces: { log: { durable: true, historySize: 1_000_000 }, live: {} },
    });
    t.after(() => node.close());
    assert.equal((await readiness(node)).status, 200);
    const ballast = join(dataDir, 'ballast');
    writeFileSync(ballast, new Uint8Array(1_200_000));
    const fill = async (): Promise<void> => {
      for (;;) await node.server.publish('log:a', 'x'.repeat(20_000));
    };
    await assert.rejects(fill(), /disk full/);
    await eventually(async () => (await readiness(node)).status === 503);
    const { checks, text } = await readiness(node);
    assert.deepEqual(
      checks.map(({ name, ok, reason }) => [name, ok, reason]),
      [
        ['memory', true, undefined],
        ['durable', false, 'failed'],
      ],
    );
    assert.ok(Number.isFinite(Date.parse(checks[1]?.since ?? '')));
    assert.ok(!text.includes(dataDir) && !/disk/.test(text), 'S28: no word of the failure');
    rmSync(ballast);
    await eventually(async () => (await readiness(node)).status === 200);
  },
);

test('S28: nobody names, lists, counts or hears the channels of canaries', { timeout }, async (t) => {
  const node = await startNode({
    settings: { canaryIntervalMs, apiKeys: [{ name: 'all', key: 'k'.repeat(40), allow: ['*'] }] },
    namespaces: { log: { durable: true, historySize: 10, presence: true }, live: {}, default: {} },
  });
  t.after(() => node.close());
  const ann = await connectClient(node, { user: 'ann' });
  t.after(() => ann.close());
  const api = async (method: string, body: unknown): Promise<{ error?: { code: number }; result?: unknown }> => {
    const headers = { 'X-API-Key': 'k'.repeat(40), 'Content-Type': 'application/json' };
    const response = await fetch(`${node.url}/api/${method}`, { method: 'POST', headers, body: JSON.stringify(body) });
    return (await response.json()) as { error?: { code: number } };
  };
  for (const channel of [
    '$canary:durable',
    '$canary:memory',
    '$CANARY:memory',
    ' $canary:memory',
    '$canary:memory\u0000',
  ]) {
    await assert.rejects(ann.tutti.history(channel, { limit: 1 }), channel);
    await assert.rejects(ann.tutti.publish(channel, 'guess'), channel);
    for (const method of ['publish', 'history', 'history_remove', 'subscribe', 'presence']) {
      const { error } = await api(method, { channel, user: 'ann', data: 'guess' });
      assert.ok(error !== undefined && [102, 107].includes(error.code), `${method} ${channel}: ${error?.code}`);
    }
  }
  const { result } = await api('channels', {});
  assert.deepEqual(result, { channels: {} });
  assert.equal(node.server.figures().channels, 0);
  const page = await (await fetch(node.server.metricsUrl)).text();
  assert.doesNotMatch(page, /canary/);
  assert.doesNotMatch(page, /^tutti_publications_accepted_total\S* [1-9]/m);
});

test('the log does not grow by canaries', { timeout }, async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'tutti-canaries-'));
  t.after(() => rmSync(dataDir, { recursive: true }));
  const random = new SystemRandom();
  const broker = new SqliteLogBroker({ dataDir, clock: new SystemClock(), random });
  const { namespaces } = testSettings({ namespaces: { log: { durable: true, historySize: 10 } } }, dataDir);
  const canaries = new Canaries(canariesOf({ ...defaultSettings(), namespaces }, broker, random));
  assert.deepEqual(
    canaries.all.map(({ name }) => name),
    ['durable'],
  );
  await broker.start({ publication: (live) => void canaries.receive(live) });
  for (let i = 0; i < 20; i += 1) await canaries.all[0]?.run();
  await broker.close();
  const db = new DatabaseSync(join(dataDir, 'log.db'));
  assert.equal(db.prepare('SELECT top FROM channel').get()?.['top'], 20);
  assert.equal(db.prepare('SELECT count(*) AS kept FROM publication').get()?.['kept'], 1);
  db.close();
});

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectClient, HostileWebSocket, spawnNode } from '@tutti/testkit';

import { RunningCommand } from '../testing/run-command.ts';

const timeout = 60_000;

function folder(t: TestContext): string {
  const cwd = mkdtempSync(join(tmpdir(), 'tutti-drain-'));
  t.after(() => {
    rmSync(cwd, { recursive: true });
  });
  return cwd;
}

async function dev(t: TestContext, cwd: string): Promise<{ server: RunningCommand; port: number }> {
  const server = new RunningCommand(['dev', '--no-demo', '--port', '0', '--json'], { cwd });
  t.after(() => {
    server.kill('SIGKILL');
  });
  const [, port = ''] = await server.printed(/"type":"listening","url":"http:\/\/[^:]+:(\d+)"/);
  return { server, port: Number(port) };
}

test(
  'CON-3: tutti drain stops the node of its folder, and both say that all went as planned',
  { timeout },
  async (t) => {
    const cwd = folder(t);
    const { server } = await dev(t, cwd);
    const file = join(cwd, 'data', 'tutti.pid');
    assert.ok(existsSync(file));
    const drained = await new RunningCommand(['drain', '--json'], { cwd }).finished();
    assert.equal(drained.code, 0, drained.stderr);
    assert.match(drained.stdout, /^\{"type":"drained","pid":\d+\}$/m);
    assert.equal((await server.finished()).code, 0);
    assert.equal(existsSync(file), false);
  },
);

test('tutti drain where no node runs says where it looked', { timeout }, async (t) => {
  const { code, stderr } = await new RunningCommand(['drain'], { cwd: folder(t) }).finished();
  assert.equal(code, 1);
  assert.match(stderr, /no node runs in this data folder: there is no .*tutti\.pid[\s\S]*--data-dir/);
});

test(
  'CON-3: a second signal ends the node at once with 1, and the drain that waits says so',
  { timeout },
  async (t) => {
    const cwd = folder(t);
    const { server, port } = await dev(t, cwd);
    // It never follows the close, so the node gives it its five seconds.
    const silent = await HostileWebSocket.open(port);
    t.after(() => silent.socket.destroy());
    const drain = new RunningCommand(['drain'], { cwd });
    assert.equal((await silent.closeFrame())?.code, 3001);
    // What comes together is one request (npm doubles a Ctrl-C); this is another.
    await sleep(600);
    server.kill('SIGTERM');
    const ended = await server.finished();
    assert.equal(ended.code, 1);
    assert.match(ended.stderr, /asked twice/);
    const waited = await drain.finished();
    assert.equal(waited.code, 1);
    assert.match(waited.stderr, /not as planned/);
  },
);

test('CON-3: what was acknowledged before and during the drain is there after it, once', { timeout }, async (t) => {
  const node = await spawnNode({ namespaces: { chat: { historySize: 10_000, durable: true } } });
  t.after(() => node.close());
  const ann = await connectClient(node, { user: 'ann' });
  t.after(() => ann.close());
  const acknowledged: number[] = [];
  const publish = async (n: number): Promise<void> => {
    await ann.tutti.publish('chat:log', { n }, { idempotencyKey: `n${n}` });
    acknowledged.push(n);
  };
  const publishing: Promise<void>[] = [];
  let isOver = false;
  const publisher = (async () => {
    for (let n = 0; !isOver; n += 1) {
      publishing.push(publish(n));
      await sleep(2);
    }
  })();
  await ann.events.count('connected', 1);
  await sleep(300);
  assert.equal(await node.stop(), 0);
  isOver = true;
  await publisher;
  await node.restart();
  await Promise.all(publishing);
  const { publications } = await ann.tutti.history('chat:log', { limit: 10_000 });
  const kept = publications.map(({ data }) => (data as { n: number }).n);
  assert.deepEqual(
    kept.toSorted((a, b) => a - b),
    acknowledged.toSorted((a, b) => a - b),
  );
  assert.equal(new Set(kept).size, kept.length);
});

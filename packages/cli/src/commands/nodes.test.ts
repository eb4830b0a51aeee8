import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { MemoryBroker, SystemClock } from '@tutti/server/internal';
import { MemoryBusNetwork, SeededRandom, startNode } from '@tutti/testkit';

import { RunningCommand, type Finished } from '../testing/run-command.ts';

const key = 'operator-key-of-24-characters-or-more';

interface Cluster {
  readonly network: MemoryBusNetwork;
  /** `tutti nodes` at the first of two nodes. */
  nodes(...flags: string[]): Promise<Finished>;
}

async function cluster(t: TestContext): Promise<Cluster> {
  const [clock, random] = [new SystemClock(), new SeededRandom(5)];
  const network = new MemoryBusNetwork(clock, random.fork());
  const cwd = mkdtempSync(join(tmpdir(), 'tutti-nodes-'));
  t.after(() => rmSync(cwd, { recursive: true }));
  let url = '';
  for (const nodeName of ['alto', 'bass']) {
    const node = await startNode({
      settings: { nodeName, apiKeys: [{ name: 'operator', key, allow: ['info'] }], clusterSecret: 'x'.repeat(32) },
      engine: { broker: new MemoryBroker({ clock, random }), bus: network.bus(nodeName), mayLoseLive: () => false },
    });
    t.after(() => node.close());
    if (url === '') url = node.url;
  }
  const env = { TUTTI_URL: url, TUTTI_API_KEY: key };
  return { network, nodes: (...flags) => new RunningCommand(['nodes', ...flags], { cwd, env }).finished() };
}

test('nodes lists the nodes of the cluster, for people and for programs', async (t) => {
  const { nodes } = await cluster(t);
  const { code, stdout, stderr } = await nodes();
  assert.equal(code, 0, stderr);
  const [head = '', ...lines] = stdout.trimEnd().split('\n');
  assert.match(head, /node +version +up +connections +users +channels +memory +cpu +loop lag/);
  assert.deepEqual(
    lines.map((line) => line.split(' ')[0]),
    ['alto', 'bass'],
  );
  const records = (await nodes('--json')).stdout.trimEnd().split('\n');
  assert.deepEqual(
    records.map((line) => (JSON.parse(line) as { name: string }).name),
    ['alto', 'bass'],
  );
});

test('nodes says which node did not answer', async (t) => {
  const { network, nodes } = await cluster(t);
  network.part(['alto'], ['bass']);
  const { code, stdout, stderr } = await nodes();
  assert.equal(code, 0, stderr);
  assert.doesNotMatch(stdout, /bass/);
  assert.match(stderr, /node bass did not answer in time/);
});

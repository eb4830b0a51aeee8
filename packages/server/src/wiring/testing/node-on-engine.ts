import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { eventually, spawnNode, type SpawnedNode } from '@tutti/testkit';
import type { Settings } from '../../config/options.ts';

const namespaces = { log: { durable: true, historySize: 100 } } as const;

/** A process of its own, with a durable namespace, until the test ends. */
export async function start(t: TestContext, settings: Partial<Settings>): Promise<SpawnedNode> {
  const node = await spawnNode({ settings: { canaryIntervalMs: 200, ...settings }, namespaces });
  t.after(() => node.close());
  return node;
}

export async function becomesReady(node: SpawnedNode): Promise<void> {
  await eventually(async () => (await fetch(`${node.url}/ready`)).status === 200, { withinMs: 20_000, what: node.log });
}

/** It runs, is not ready, and says what to do; no secret in anything that it wrote. */
export async function saysWhatToDo(node: SpawnedNode, what: RegExp, ...secrets: string[]): Promise<void> {
  await eventually(() => what.test(node.log), { what: `${String(what)} in ${node.log}` });
  const [health, ready] = [await fetch(`${node.url}/health`), await fetch(`${node.url}/ready`)];
  assert.deepEqual([health.status, ready.status], [200, 503]);
  const told = node.log + node.stderr + (await ready.text());
  for (const each of secrets) assert.ok(!told.includes(each), 'the secret is told');
}

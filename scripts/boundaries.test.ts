import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, test } from 'node:test';
import { cruise, type ICruiseResult, type IFlattenedRuleSet } from 'dependency-cruiser';

const config = createRequire(import.meta.url)('../.dependency-cruiser.cjs') as {
  forbidden: { name: string; comment?: string }[];
  options: Record<string, unknown>;
};

const s = 'packages/server/src';

/** A small tree of this repository's shape that keeps every rule. */
const clean: Record<string, string> = {
  'packages/protocol/src/index.ts': "export * from './errors.ts';",
  'packages/protocol/src/errors.ts': 'export const errors = 1;',
  'packages/client/src/index.ts': "import { errors } from '@tutti/protocol';\nexport const client = errors;",
  'packages/client/src/index.test.ts':
    "import 'node:test';\nimport { testkit } from '@tutti/testkit';\nexport default testkit;",
  'packages/server/src/index.ts': "export * from './wiring.ts';",
  'packages/server/src/internal.ts': "export * from './broker/memory.ts';",
  'packages/server/src/wiring.ts': [
    "import { memory } from './broker/memory.ts';",
    "import { websocket } from './transport/websocket/listener.ts';",
    "import { hub } from './core/hub.ts';",
    "import { api } from './api/api-route.ts';",
    'export const wiring = [memory, websocket, hub, api];',
  ].join('\n'),
  [`${s}/core/hub.ts`]: [
    "import assert from 'node:assert';",
    "import type { Broker } from '../broker/broker.ts';",
    "import type { Clock } from './clock.ts';",
    'export const hub = (b: Broker, c: Clock) => assert(b && c);',
  ].join('\n'),
  [`${s}/core/clock.ts`]: 'export interface Clock { now(): number }',
  [`${s}/broker/broker.ts`]:
    "import { errors } from '@tutti/protocol';\nexport interface Broker { errors: typeof errors }",
  [`${s}/broker/memory.ts`]: [
    "import type { Broker } from './broker.ts';",
    "import type { Clock } from '../core/clock.ts';",
    'export const memory = (clock: Clock): Broker => ({ errors: 1, clock }) as never;',
  ].join('\n'),
  [`${s}/transport/transport.ts`]: 'export interface Transport { name: string }',
  [`${s}/transport/websocket/listener.ts`]: [
    "import ws from 'ws';",
    "import type { Transport } from '../transport.ts';",
    'export const websocket = ws as unknown as Transport;',
  ].join('\n'),
  'packages/api/src/index.ts': 'export const api = fetch;',
  [`${s}/api/api-route.ts`]: "import type { Broker } from '../broker/broker.ts';\nexport const api = (b: Broker) => b;",
  'packages/dashboard/src/main.ts': "import { client } from '@tutti/client';\nexport default client;",
  'packages/bench/src/main.ts': "import { client } from '@tutti/client';\nexport default client;",
  'packages/cli/src/main.ts': "import { wiring } from '@tutti/server';\nexport default wiring;",
  'packages/testkit/src/index.ts': "import { memory } from '@tutti/server/internal';\nexport const testkit = memory;",
};

/** One file per violation: it replaces or joins the clean tree, and names the rules that must report it. */
const planted: [rules: string[], file: string, text: string][] = [
  [
    ['no-circular'],
    `${s}/core/clock.ts`,
    "import type { hub } from './hub.ts';\nexport interface Clock { hub: typeof hub }",
  ],
  [['resolvable'], `${s}/core/lost.ts`, "import './nowhere.ts';"],
  [['protocol-is-a-leaf'], 'packages/protocol/src/errors.ts', "import 'node:fs';\nexport const errors = 1;"],
  [
    ['protocol-is-a-leaf', 'declared-dependencies'],
    'packages/protocol/src/errors.ts',
    "import 'undeclared';\nexport const errors = 1;",
  ],
  [['client-knows-only-protocol'], 'packages/client/src/index.ts', "import '@tutti/server';\nexport const client = 1;"],
  [['client-without-node'], 'packages/client/src/index.ts', "import 'node:fs';\nexport const client = 1;"],
  [['dashboard-knows-only-client'], 'packages/dashboard/src/main.ts', "import '@tutti/server';"],
  [['bench-knows-only-client'], 'packages/bench/src/main.ts', "import '@tutti/server';"],
  [['server-knows-only-protocol'], `${s}/core/sdk.ts`, "import '@tutti/client';"],
  [['backend-sdk-knows-nobody'], 'packages/api/src/index.ts', "import '@tutti/protocol';\nexport const api = 1;"],
  [['api-knows-contracts-only'], `${s}/api/api-route.ts`, "import '../core/hub.ts';\nexport const api = 1;"],
  [['only-wiring-knows-api'], `${s}/broker/memory.ts`, "import '../api/api-route.ts';\nexport const memory = 1;"],
  [['front-door'], 'packages/cli/src/main.ts', "import '../../server/src/broker/memory.ts';"],
  [['core-imports-contracts-only'], `${s}/core/hub.ts`, "import '../broker/memory.ts';\nexport const hub = 1;"],
  [['core-without-drivers', 'driver-ws'], `${s}/core/hub.ts`, "import 'ws';\nexport const hub = 1;"],
  [['core-without-io'], `${s}/core/hub.ts`, "import 'node:fs';\nexport const hub = 1;"],
  [
    ['contracts-are-pure'],
    `${s}/transport/transport.ts`,
    "import './websocket/frame.ts';\nexport interface Transport { name: string }",
  ],
  [
    ['adapters-do-not-know-core'],
    `${s}/broker/memory.ts`,
    "import type { hub } from '../core/hub.ts';\nexport const memory = 1 as unknown as typeof hub;",
  ],
  [
    ['adapters-do-not-know-each-other'],
    `${s}/broker/memory.ts`,
    "import '../transport/websocket/listener.ts';\nexport const memory = 1;",
  ],
  [
    ['adapters-do-not-know-each-other'],
    `${s}/last-seen/memory.ts`,
    "import '../broker/memory.ts';\nexport const lastSeen = 1;",
  ],
  [['only-wiring-picks'], `${s}/second-wiring.ts`, "import './broker/memory.ts';"],
  [['driver-ws'], `${s}/broker/memory.ts`, "import 'ws';\nexport const memory = 1;"],
  [['driver-jose'], `${s}/broker/memory.ts`, "import 'jose';\nexport const memory = 1;"],
  [['driver-pino'], `${s}/broker/memory.ts`, "import 'pino';\nexport const memory = 1;"],
  [['driver-prom-client'], `${s}/broker/memory.ts`, "import 'prom-client';\nexport const memory = 1;"],
  [['driver-commander'], `${s}/broker/memory.ts`, "import 'commander';\nexport const memory = 1;"],
  [['driver-sqlite'], `${s}/transport/websocket/listener.ts`, "import 'node:sqlite';\nexport const websocket = 1;"],
  [['driver-nats'], `${s}/broker/memory.ts`, "import '@nats-io/transport-node';\nexport const memory = 1;"],
  [['driver-redis'], `${s}/broker/memory.ts`, "import 'ioredis';\nexport const memory = 1;"],
  [['no-testkit-in-source'], 'packages/cli/src/main.ts', "import '@tutti/testkit';"],
  [['no-tests-in-source'], 'packages/client/src/index.ts', "import './state.test.ts';\nexport const client = 1;"],
  [['declared-dependencies'], `${s}/broker/memory.ts`, "import 'undeclared';\nexport const memory = 1;"],
  [['no-orphans'], `${s}/core/forgotten.ts`, 'export const forgotten = 1;'],
];

/** Files that some plants need beside them, and that break no rule by themselves. */
const beside: Record<string, Record<string, string>> = {
  'contracts-are-pure': { [`${s}/transport/websocket/frame.ts`]: "import 'ws';" },
  'no-tests-in-source': { 'packages/client/src/state.test.ts': "import 'node:test';" },
};

const root = realpathSync(mkdtempSync(join(tmpdir(), 'tutti-boundaries-')));
after(() => {
  rmSync(root, { recursive: true, force: true });
});

function write(base: string, file: string, text: string): void {
  mkdirSync(dirname(join(base, file)), { recursive: true });
  writeFileSync(join(base, file), `${text}\n`);
}

/** Lays out a tree with packages that see each other as npm workspaces do, and reports what the rules say. */
async function violations(name: string, files: Record<string, string>): Promise<Set<string>> {
  const base = join(root, name);
  const names = ['ws', 'jose', 'pino', 'prom-client', 'commander', 'ioredis', '@nats-io/transport-node'];
  const dependencies = Object.fromEntries(names.map((name) => [name, '*']));
  for (const folder of ['protocol', 'client', 'api', 'server', 'dashboard', 'bench', 'cli', 'testkit']) {
    const exports = { '.': './src/index.ts', './internal': './src/internal.ts' };
    write(
      base,
      `packages/${folder}/package.json`,
      JSON.stringify({ name: `@tutti/${folder}`, type: 'module', exports, dependencies }),
    );
    mkdirSync(join(base, 'node_modules/@tutti'), { recursive: true });
    symlinkSync(`../../packages/${folder}`, join(base, `node_modules/@tutti/${folder}`));
  }
  for (const module of [...Object.keys(dependencies), 'undeclared']) {
    write(base, `node_modules/${module}/package.json`, JSON.stringify({ name: module, main: 'index.js' }));
    write(base, `node_modules/${module}/index.js`, 'module.exports = {};');
  }
  for (const [file, text] of Object.entries(files)) write(base, file, text);
  const result = await cruise(['packages'], {
    ...config.options,
    ruleSet: { forbidden: config.forbidden } as unknown as IFlattenedRuleSet,
    validate: true,
    baseDir: base,
  });
  const { summary } = result.output as ICruiseResult;
  return new Set(summary.violations.map((violation) => violation.rule.name));
}

test('boundaries: a tree that keeps the rules passes', async () => {
  assert.deepEqual([...(await violations('clean', clean))], []);
});

for (const [index, [rules, file, text]] of planted.entries()) {
  test(`boundaries: ${rules.join(' and ')} in ${file} is reported`, async () => {
    const files = { ...clean, ...Object.assign({}, ...rules.map((rule) => beside[rule])), [file]: text };
    const found = await violations(`planted-${index}`, files);
    for (const rule of rules)
      assert.ok(found.has(rule), `${rule} was not reported, only: ${[...found].join(', ') || 'nothing'}`);
  });
}

test('boundaries: every rule has a planted violation and states its reason', () => {
  const names = config.forbidden.map((rule) => rule.name);
  const covered = new Set(planted.flatMap(([rules]) => rules));
  assert.deepEqual(
    names.filter((name) => !covered.has(name)),
    [],
  );
  assert.deepEqual(
    [...covered].filter((name) => !names.includes(name)),
    [],
  );
  assert.deepEqual(
    config.forbidden.filter((rule) => (rule.comment ?? '').length < 30),
    [],
  );
});

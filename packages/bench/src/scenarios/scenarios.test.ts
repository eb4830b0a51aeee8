import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const program = fileURLToPath(new URL('../main.ts', import.meta.url));
const run = promisify(execFile);

interface Figures {
  readonly bench: string;
  readonly machine: { readonly commit: string; readonly cores: number; readonly node: string };
  readonly settings: Readonly<Record<string, number>>;
  readonly runs: readonly (readonly Readonly<Record<string, string | number>>[])[];
}

/** The program as a user runs it, with as little load as still goes through every part. */
async function bench(t: TestContext, ...args: string[]): Promise<Figures> {
  const folder = await mkdtemp(join(tmpdir(), 'tutti-bench-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'figures.json');
  const { stdout } = await run(process.execPath, [program, ...args, '--json', file], { timeout: 60_000 });
  const figures = JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as Figures;
  assert.deepEqual(JSON.parse(await readFile(file, 'utf8')), figures);
  assert.equal(figures.bench, args[0]);
  assert.equal(figures.machine.node, process.version);
  assert.ok(figures.machine.cores > 0);
  return figures;
}

const targets = ['tutti', 'bare', 'ws'];

test('idle measures all servers', async (t) => {
  const { runs, settings } = await bench(t, 'idle', '--connections', '20', '--quiet', '20', '--traffic', '2');
  const rows = runs[0] ?? [];
  assert.equal(settings['connections'], 20);
  assert.deepEqual(
    rows.map((row) => row['target']),
    targets,
  );
  for (const row of rows) assert.ok(Number(row['processMb']) > 10);
});

test('fan-out delivers everything to everybody, with the same bytes from all servers, also in several load processes', async (t) => {
  const args = ['--subscribers', '7', '--seconds', '0.3', '--rate', '20', '--payload', '200', '--processes', '2'];
  const { runs } = await bench(t, 'fan-out', ...args);
  const rows = runs[0] ?? [];
  assert.deepEqual(
    rows.map((row) => `${row['target'] ?? ''} ${row['phase'] ?? ''}`),
    targets.flatMap((target) => [`${target} paced`, `${target} burst`]),
  );
  for (const row of rows) {
    assert.ok(Number(row['p99Ms']) > 0 && Number(row['deliveriesPerSecond']) > 0);
    if (row['phase'] === 'paced') assert.equal(row['publications'], 6);
  }
  assert.ok(Number(rows[0]?.['messageBytes']) > 200);
  const paced = rows.filter((row) => row['phase'] === 'paced');
  assert.equal(new Set(paced.map((row) => row['messageBytes'])).size, 1);
});

test('publish is acknowledged in channels of every kind', async (t) => {
  const { runs } = await bench(t, 'publish', '--seconds', '0.2', '--connections', '3', '--window', '10');
  assert.deepEqual(
    runs[0]?.map((row) => `${row['channel'] ?? ''} ${row['connections'] ?? ''}`),
    ['live 1', 'live 3', 'memory 1', 'memory 3', 'durable 1', 'durable 3'],
  );
  for (const row of runs[0] ?? []) assert.ok(Number(row['perSecond']) > 0 && Number(row['p50Ms']) > 0);
});

test('connect counts connections, and repeats where it is told to', async (t) => {
  const args = ['--connections', '20', '--warm-up', '5', '--at-once', '7', '--baselines', '0', '--repeat', '2'];
  const { runs } = await bench(t, 'connect', ...args);
  assert.equal(runs.length, 2);
  for (const rows of runs) assert.ok(Number(rows[0]?.['perSecond']) > 0);
});

test('a failed run says why and exits with 1, wrong usage with 2; without a name the scenarios are listed', async () => {
  const tooMany = run(process.execPath, [program, 'idle', '--connections', '9000000', '--quiet', '1']);
  await assert.rejects(tooMany, { code: 1, stderr: /idle failed: .*connections/ });
  await assert.rejects(run(process.execPath, [program, 'nothing']), { code: 2, stderr: /there are: idle, fan-out/ });
  await assert.rejects(run(process.execPath, [program, 'idle', '--x', '1']), { code: 2, stderr: /--connections/ });
  const { stdout } = await run(process.execPath, [program, '--help']);
  for (const name of ['idle', 'fan-out', 'publish', 'connect', '--json FILE']) assert.ok(stdout.includes(name));
});

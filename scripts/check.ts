import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './files.ts';

/**
 * `npm run check`: everything a change must pass besides its tests, two at a time. One line each
 * with its time; the output of what failed in full. With names as arguments: only those.
 */
interface Check {
  name: string;
  command: string[];
  /** Run only where this file is there (a package that has it to check). */
  onlyWith?: string;
}

const script = (name: string, ...flags: string[]): string[] => [process.execPath, join('scripts', name), ...flags];

// What other files say about a file's types is not in the cache's key: CI goes without.
const lintCache =
  process.env['CI'] === undefined ? ['--cache', '--cache-location', 'node_modules/.cache/tutti/eslint/'] : [];
const formatCache = ['--cache', '--cache-location', 'node_modules/.cache/tutti/prettier'];

// The longest first: two lanes then end at about the same time.
const checks: Check[] = [
  { name: 'lint', command: ['eslint', '.', ...lintCache] },
  { name: 'types', command: ['tsc', '-b'] },
  { name: 'format', command: ['prettier', '--check', '--log-level', 'warn', ...formatCache, '.'] },
  { name: 'boundaries', command: ['depcruise', '--config', '.dependency-cruiser.cjs', 'packages'] },
  { name: 'docs', command: script('generate-docs.ts', '--check') },
  { name: 'rules', command: script('rules.ts', '--check') },
  { name: 'tidy', command: script('tidy.ts') },
  { name: 'advisories', command: script('advisories.ts') },
  { name: 'client size', command: script('client-size.ts'), onlyWith: 'scripts/client-size.ts' },
];

interface Outcome {
  ok: boolean;
  output: string;
}

function runCheck(check: Check): Promise<Outcome> {
  return new Promise((resolve) => {
    const [command = '', ...flags] = check.command;
    const path = `${join(root, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}`;
    const child = spawn(command, flags, { cwd: root, env: { ...process.env, PATH: path }, timeout: 300_000 });
    let output = '';
    const collect = (chunk: Buffer): void => {
      output += chunk.toString();
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (error) => {
      resolve({ ok: false, output: `${output}${error.message}\n` });
    });
    child.on('close', (code, signal) => {
      if (signal !== null) output += `ended by ${signal}\n`;
      resolve({ ok: code === 0, output });
    });
  });
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !checks.some((check) => check.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `no check named ${unknown.join(', ')}; there are ${checks.map(({ name }) => name).join(', ')}\n`,
  );
  process.exit(1);
}

const waiting = checks
  .filter(({ name }) => wanted.length === 0 || wanted.includes(name))
  .filter(({ onlyWith }) => onlyWith === undefined || existsSync(join(root, onlyWith)));
const failures: [name: string, output: string][] = [];
let passed = 0;

async function lane(): Promise<void> {
  for (let check = waiting.shift(); check !== undefined; check = waiting.shift()) {
    const started = performance.now();
    const { ok, output } = await runCheck(check);
    const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(6);
    process.stdout.write(`${check.name.padEnd(12)}${seconds} s  ${ok ? 'ok' : 'FAILED'}\n`);
    if (ok) passed += 1;
    else failures.push([check.name, output]);
  }
}

await Promise.all([lane(), lane()]);
for (const [name, output] of failures) process.stdout.write(`\n── ${name}\n${output.trimEnd()}\n`);
process.stdout.write(`\nchecks: ${passed} ok, ${failures.length} failed\n`);
process.exitCode = failures.length === 0 ? 0 : 1;

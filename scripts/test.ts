import { mkdirSync, writeFileSync } from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import { run } from 'node:test';
import { parseArgs } from 'node:util';
import { filesUnder, root } from './files.ts';
import { judge, type TestEvent, type Verdict } from './test-verdict.ts';

/**
 * `npm test`: every *.test.ts of packages, tests and scripts, each file in a process of its own.
 * Prints a mark per file, failures in full, skips by name with their reason, and ends with the
 * plain line `N passed, N failed` (and `, N skipped`).
 */
const help = `npm test [-- FILTER...]         all tests, or the files whose path contains a FILTER;
                               an absolute path runs that very file
  --concurrency N                test files at a time (default 2)
  --timeout SECONDS              longest time for one file (default 120)
  --name PATTERN                 only tests whose name matches
  --list                         print the files and end

TUTTI_REQUIRE_SERVICES=1         a test skipped because a service is missing counts as failed
The full report goes to node_modules/.cache/tutti/test-report.txt.
`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    help: { type: 'boolean', short: 'h', default: false },
    list: { type: 'boolean', default: false },
    concurrency: { type: 'string', default: '2' },
    timeout: { type: 'string', default: '120' },
    name: { type: 'string' },
  },
});

if (values.help) {
  process.stdout.write(help);
} else {
  const outside = positionals.filter((path) => isAbsolute(path)).map((path) => relative(root, path));
  const filters = positionals.filter((path) => !isAbsolute(path));
  const inside = filesUnder('packages', 'tests', 'scripts').filter((file) => /\.test\.tsx?$/.test(file));
  const files = [
    ...inside.filter((file) => positionals.length === 0 || filters.some((filter) => file.includes(filter))),
    ...outside,
  ];
  if (values.list) process.stdout.write(`${files.join('\n')}\n`);
  else process.exitCode = await main(files);
}

async function main(files: string[]): Promise<number> {
  if (files.length === 0) {
    process.stderr.write(`no test file matches ${positionals.join(' ')}\n0 passed, 0 failed\n`);
    return 1;
  }
  const started = performance.now();
  const events = await collect(files);
  const verdict = judge(events, files, process.env['TUTTI_REQUIRE_SERVICES'] === '1');
  report(verdict);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stdout.write(`\n${files.length} files in ${seconds} s\n${countLine(verdict)}\n`);
  return verdict.failed.length === 0 ? 0 : 1;
}

async function collect(files: string[]): Promise<TestEvent[]> {
  const events: TestEvent[] = [];
  const waiting = [...files];
  async function worker(): Promise<void> {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const ofFile = await runFile(file);
      events.push(...ofFile);
      announce(file, ofFile);
    }
  }
  await Promise.all(Array.from({ length: Number(values.concurrency) }, worker));
  return events;
}

/**
 * The runner's own time limit fails a test and then waits for the process, which may be kept alive
 * by what the test left open; the signal ends the process itself.
 */
async function runFile(file: string): Promise<TestEvent[]> {
  const timeoutMs = Number(values.timeout) * 1000;
  const signal = AbortSignal.timeout(timeoutMs);
  const stream = run({
    files: [join(root, file)],
    cwd: root,
    signal,
    execArgv: [],
    ...(values.name === undefined ? {} : { testNamePatterns: [new RegExp(values.name)] }),
  });
  const events: TestEvent[] = [];
  for await (const { type, data } of stream as AsyncIterable<{ type: string; data: object }>) {
    const event: TestEvent = { ...data, type, file };
    event.isWholeFile = event.nesting === 0 && resolve(root, event.name ?? '') === resolve(root, file);
    events.push(event);
  }
  if (signal.aborted) {
    const error = `the file did not end within ${values.timeout} s: a test waits for ever, or left something open`;
    const rest = events.filter((event) => !(event.isWholeFile === true && event.type === 'test:fail'));
    return [...rest, { type: 'test:fail', file, name: '(the file)', isWholeFile: true, details: { error } }];
  }
  return events;
}

function announce(file: string, events: readonly TestEvent[]): void {
  const failed = events.filter((event) => event.type === 'test:fail');
  if (failed.length === 0) process.stdout.write(process.stdout.isTTY ? '.' : `✔ ${file}\n`);
  for (const event of failed) process.stdout.write(`✖ ${file}: ${event.name ?? ''}\n`);
}

function report(verdict: Verdict): void {
  const folder = join(root, 'node_modules/.cache/tutti');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'test-report.txt'), `${verdict.lines.join('\n')}\n`);
  if (verdict.skipped.length > 0) {
    process.stdout.write('\nskipped\n');
    for (const { file, name, reason } of verdict.skipped) process.stdout.write(`  ${file}: ${name} (${reason})\n`);
  }
  for (const failure of verdict.failed) {
    process.stdout.write(`\n✖ ${failure.file}: ${failure.name}\n${indent(failure.detail)}\n`);
  }
}

function countLine(verdict: Verdict): string {
  const counts = `${verdict.passed} passed, ${verdict.failed.length} failed`;
  return verdict.skipped.length === 0 ? counts : `${counts}, ${verdict.skipped.length} skipped`;
}

function indent(text: string): string {
  return text.replace(/^/gm, '    ');
}

import { inspect } from 'node:util';

/** What node:test reports of one test, reduced to what the verdict needs. */
export interface TestEvent {
  type: string;
  name?: string;
  file?: string;
  nesting?: number;
  /** The runner reports a file as a test of its own when it holds none, crashes or takes too long. */
  isWholeFile?: boolean;
  message?: string;
  skip?: string | boolean;
  todo?: string | boolean;
  details?: { type?: string; duration_ms?: number; error?: unknown };
}

export interface Verdict {
  passed: number;
  failed: { file: string; name: string; detail: string }[];
  skipped: { file: string; name: string; reason: string }[];
  /** The whole run as text, a line a test. */
  lines: string[];
}

/**
 * Counts tests, not suites. A skip whose reason starts with `service:` fails where services are
 * required, and a file without a single test fails: both would otherwise pass in silence.
 */
export function judge(events: readonly TestEvent[], files: readonly string[], requireServices: boolean): Verdict {
  const verdict: Verdict = { passed: 0, failed: [], skipped: [], lines: [] };
  const output = new Map<string, string>();
  const filesWithTests = new Set<string>();
  for (const event of events) {
    const file = event.file ?? '';
    if (event.type === 'test:stderr' || event.type === 'test:stdout') {
      output.set(file, ((output.get(file) ?? '') + (event.message ?? '')).slice(-20_000));
    }
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    if (event.isWholeFile === true) {
      if (event.type === 'test:fail') {
        filesWithTests.add(file);
        fail(verdict, event, output.get(file));
      }
      continue;
    }
    filesWithTests.add(file);
    count(verdict, event, requireServices);
  }
  for (const file of files) {
    if (filesWithTests.has(file)) continue;
    verdict.failed.push({ file, name: '(the file)', detail: `no test ran in it\n${output.get(file) ?? ''}` });
  }
  return verdict;
}

function count(verdict: Verdict, event: TestEvent, requireServices: boolean): void {
  const { file = '', name = '' } = event;
  const indent = '  '.repeat((event.nesting ?? 0) + 1);
  if (event.type === 'test:fail' && event.todo === undefined) {
    fail(verdict, event, undefined);
  } else if (event.skip !== undefined && event.skip !== false) {
    const reason = typeof event.skip === 'string' && event.skip !== '' ? event.skip : 'no reason given';
    verdict.lines.push(`${indent}- ${file}: ${name} (${reason})`);
    if (requireServices && reason.startsWith('service:')) {
      verdict.failed.push({ file, name, detail: `skipped although services are required: ${reason}` });
    } else {
      verdict.skipped.push({ file, name, reason });
    }
  } else if (event.todo !== undefined && event.todo !== false) {
    verdict.skipped.push({ file, name, reason: `to do: ${String(event.todo)}` });
  } else if (event.details?.type !== 'suite') {
    verdict.passed += 1;
    verdict.lines.push(`${indent}✔ ${file}: ${name} (${(event.details?.duration_ms ?? 0).toFixed(1)} ms)`);
  }
}

/** A parent that fails only because a child failed is not counted again. */
function fail(verdict: Verdict, event: TestEvent, output: string | undefined): void {
  const { file = '', name = '' } = event;
  const error = event.details?.error;
  const failureType = (error as { failureType?: string } | undefined)?.failureType;
  if (failureType === 'subtestsFailed') return;
  const cause = (error as { cause?: unknown } | undefined)?.cause ?? error;
  const detail = [
    typeof cause === 'string' ? cause : inspect(cause, { depth: 6, colors: false }),
    ...(output === undefined ? [] : [output]),
  ].join('\n');
  verdict.failed.push({ file, name, detail });
  verdict.lines.push(`✖ ${file}: ${name}\n${detail}`);
}

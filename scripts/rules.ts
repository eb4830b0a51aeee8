import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesUnder, root } from './files.ts';
import { coverage, rulesOfPage, rulesProved, type Rule } from './rule-coverage.ts';

/**
 * `npm run rules`: which rule of docs/spec is proved by which test. `--check` fails where a test
 * names an unknown rule, an id is given twice, or a rule that is due has no test.
 */
const pages = filesUnder('docs/spec').filter((file) => file.endsWith('.md'));
const rules: Rule[] = pages.flatMap((page) => rulesOfPage(page, readFileSync(join(root, page), 'utf8')));

const proofs = new Map<string, string[]>();
for (const file of filesUnder('packages', 'tests', 'proofs', 'scripts').filter((name) => /[.]tsx?$/.test(name))) {
  if (file === 'scripts/rule-coverage.test.ts') continue; // its examples are not proofs
  for (const id of rulesProved(readFileSync(join(root, file), 'utf8')))
    proofs.set(id, [...(proofs.get(id) ?? []), file]);
}

const result = coverage(rules, proofs);
const list = (title: string, lines: readonly string[]): void => {
  if (lines.length > 0) process.stdout.write(`\n${title}\n${lines.map((line) => `  ${line}`).join('\n')}\n`);
};

if (!process.argv.includes('--check')) {
  list(
    'rules and their tests',
    rules.map(({ id, later }) => `${id.padEnd(7)} ${later ? '(later) ' : ''}${proofs.get(id)?.join(', ') ?? '–'}`),
  );
}
list('rules that are due and have no test', result.untested);
list('tests name rules that no page of docs/spec holds', result.unknown);
list('ids given twice', result.repeated);
list('marked later, and tested in part', result.early);
process.stdout.write(
  `\nrules: ${result.due} due, ${result.due - result.untested.length} of them tested; ${result.later} later\n`,
);
const sound = [result.untested, result.unknown, result.repeated].every((found) => found.length === 0);
if (process.argv.includes('--check') && !sound) process.exitCode = 1;

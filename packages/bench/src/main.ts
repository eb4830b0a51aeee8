import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { flagName, readArguments, type ReadArguments } from './arguments.ts';
import { describeMachine } from './measure/machine.ts';
import { mergeRuns, table } from './report.ts';
import { connect } from './scenarios/connect.ts';
import { fanOut } from './scenarios/fan-out.ts';
import { idle } from './scenarios/idle.ts';
import { publish } from './scenarios/publish.ts';
import type { Row, Scenario } from './scenarios/scenario.ts';

/** In the order in which they are listed. */
const scenarios: readonly Scenario[] = [idle, fanOut, publish, connect];

const usage = `npm run bench                       lists the scenarios
npm run bench -- NAME [--OPTION N]  runs one; its figures are the last line, as JSON

  --repeat N      runs it N times; the table then shows the median and the range of each number
  --json FILE     writes the figures there as well
  --profile DIR   writes CPU profiles of the measured nodes there (then the figures are those of a
                  node that is being watched)

Exit code: 0 done, 1 a run failed, 2 wrong usage. Needs Linux: processes are measured through /proc.
`;

function list(): void {
  process.stdout.write(usage);
  for (const { name, shows, options } of scenarios) {
    process.stdout.write(`\n${name}\n  ${shows}\n`);
    for (const [option, { default: value, description }] of Object.entries(options)) {
      process.stdout.write(`  --${flagName(option)} ${value}  ${description}\n`);
    }
  }
}

async function run(scenario: Scenario, { options, common }: ReadArguments): Promise<void> {
  const machine = describeMachine();
  const say = (line: string): void => void process.stdout.write(`  ${line}\n`);
  const profile = common.profile === undefined ? {} : { profileDir: resolve(common.profile) };
  const runs: (readonly Row[])[] = [];
  process.stdout.write(`${scenario.name}: ${scenario.shows}\n`);
  for (let i = 0; i < common.repeat; i += 1) {
    if (common.repeat > 1) process.stdout.write(`run ${i + 1} of ${common.repeat}\n`);
    runs.push(await scenario.run(options, { say, ...profile }));
  }
  const lines = table(mergeRuns(runs));
  process.stdout.write(`\n${lines.join('\n')}\n\n`);
  const figures = { bench: scenario.name, at: new Date().toISOString(), machine, settings: options, runs };
  if (common.json !== undefined) writeFileSync(common.json, `${JSON.stringify(figures, null, 2)}\n`);
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}

async function main([name, ...rest]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'list' || rest.includes('--help')) {
    list();
    return 0;
  }
  const scenario = scenarios.find((each) => each.name === name);
  if (scenario === undefined) {
    const names = scenarios.map((each) => each.name).join(', ');
    process.stderr.write(`there is no scenario "${name}"; there are: ${names}\n`);
    return 2;
  }
  let chosen: ReadArguments;
  try {
    chosen = readArguments(scenario, rest);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
  try {
    await run(scenario, chosen);
    return 0;
  } catch (error) {
    process.stderr.write(`${scenario.name} failed: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

process.exitCode = await main(process.argv.slice(2));

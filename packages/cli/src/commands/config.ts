import { describeAsVariables, describeSettings, formatProblem, type Mode } from '@tutti/server/config';
import type { Command } from 'commander';

import { CliError, usageError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { anyConfig } from '../local-config.ts';
import { plain } from '../output.ts';
import { addSettingsFlags } from '../settings-flags.ts';

interface Flags {
  mode: string;
}

export function configCommand(command: Command, context: Context): void {
  const config = command.command('config').description('check and show the configuration that a node would run with');
  const sub = (name: string, description: string): Command =>
    addSettingsFlags(config.command(name).description(description)).option(
      '--mode <serve|dev>',
      'for which command',
      'serve',
    );

  sub('check', 'report everything that is wrong, at once').action((flags: Flags) => check(flags, context));
  sub('show', 'print the values in effect and where they come from; secrets are masked').action((flags: Flags) =>
    show(flags, context),
  );
  sub('env', 'print the values in effect as variables; secrets are masked').action(async (flags: Flags) => {
    const { settings } = await anyConfig(modeOf(flags), { ...flags }, context);
    for (const line of describeAsVariables(settings)) {
      const at = line.indexOf('=');
      context.output().result({ type: 'variable', name: line.slice(0, at), value: line.slice(at + 1) }, line);
    }
  });
}

async function check(flags: Flags, context: Context): Promise<void> {
  const output = context.output();
  const { problems, warnings, file } = await anyConfig(modeOf(flags), { ...flags }, context);
  for (const warning of warnings) output.warn(warning);
  for (const problem of problems) {
    const { source, path, message } = problem;
    output.result(
      { type: 'problem', source: source.name, option: path, message },
      `${output.paint('red', '✗')} ${plain(formatProblem(problem))}`,
    );
  }
  const from = file ?? 'no file, only defaults, variables and flags';
  if (problems.length > 0)
    throw new CliError(
      `${problems.length === 1 ? 'one problem' : `${problems.length} problems`} in the configuration (${from})`,
    );
  output.result(
    { type: 'ok', ...(file === undefined ? {} : { file }) },
    `${output.paint('green', '✓')} the configuration is sound (${from})`,
  );
}

async function show(flags: Flags, context: Context): Promise<void> {
  const output = context.output();
  const { settings, sources, problems } = await anyConfig(modeOf(flags), { ...flags }, context);
  const rows = describeSettings(settings, sources);
  const width = Math.max(...rows.map(({ name }) => name.length));
  for (const { name, value, source } of rows) {
    const shown = value === '' ? output.dim('(empty)') : plain(value);
    const origin = source.kind === 'default' ? '' : output.dim(`  ← ${source.name}`);
    output.result(
      { type: 'setting', name, value, source: source.name },
      `${output.paint('cyan', name.padEnd(width))}  ${shown}${origin}`,
    );
  }
  if (problems.length > 0) output.warn(`${problems.length} problems: see \`tutti config check\``);
}

function modeOf({ mode }: Flags): Mode {
  if (mode === 'serve' || mode === 'dev') return mode;
  throw usageError(`--mode must be serve or dev, not ${mode}`);
}

import { flagName, options, type OptionName, type OptionSpec } from '@tutti/server/config';
import { Option, type Command } from 'commander';

/** Adds a flag for each option of the table that may have one; `only`: just these. */
export function addSettingsFlags(command: Command, only?: readonly OptionName[]): Command {
  command.option('--config <file>', 'configuration file (default: tutti.config.ts, .js or .json here)');
  for (const [name, spec] of Object.entries(options) as [OptionName, OptionSpec][]) {
    const flag = flagName(name, spec);
    if (flag === undefined || (only !== undefined && !only.includes(name))) continue;
    // No default here: the table's must not look like a flag that was given.
    command.addOption(new Option(flagUsage(flag, spec), `${spec.description} [${shownDefault(spec)}]`));
  }
  return command;
}

/** The parsed flags that are options of a node, for `loadConfig`. */
export function settingsFlags(parsed: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(parsed).filter(([name]) => Object.hasOwn(options, name));
  // `--insecure` alone is true to the parser and 'true' to whoever reads flags as text; both are understood.
  return Object.fromEntries(entries);
}

function flagUsage(flag: string, spec: OptionSpec): string {
  if (spec.type === 'boolean') return `${flag} [true|false]`;
  if (spec.choices !== undefined) return `${flag} <${spec.choices.join('|')}>`;
  return `${flag} <${spec.type}>`;
}

function shownDefault(spec: OptionSpec): string {
  return spec.default === '' || Array.isArray(spec.default) ? 'none' : String(spec.default);
}

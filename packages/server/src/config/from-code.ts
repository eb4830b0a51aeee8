import { contradictions } from './contradictions.ts';
import type { Settings, WrittenSettings } from './options.ts';
import { defaultSource, type ConfigProblem, type Source } from './problem.ts';
import { resolveSettings } from './resolve-settings.ts';

const codeSource: Source = { kind: 'code', name: 'config' };

/**
 * Settings as a program writes them: the same names and units as in a configuration file, defaults for the
 * rest. All problems at once. `hooks`: names of those that are functions. Files it names are relative to the
 * working directory; neither a configuration file nor the environment is read.
 */
export function settingsFromCode(
  written: WrittenSettings,
  hooks: ReadonlySet<string>,
): { readonly settings: Settings; readonly problems: readonly ConfigProblem[]; readonly warnings: readonly string[] } {
  const values = new Map(Object.entries(written).filter(([, value]) => value !== undefined));
  const { settings, sources, problems, warnings } = resolveSettings([
    { values, source: () => codeSource, fromText: false, folder: '.' },
  ]);
  for (const { option, path = '', message } of contradictions(settings, 'serve', hooks)) {
    // A value that could not be read was reported already; what follows from its absence is no news.
    if (problems.some((problem) => problem.path.startsWith(option))) continue;
    problems.push({ source: sources.get(option) ?? defaultSource, path: `${option}${path}`, message });
  }
  return { settings, problems, warnings };
}

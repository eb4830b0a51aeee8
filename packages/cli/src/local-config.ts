import {
  formatProblem,
  loadConfig,
  withDevSecret,
  type Environment,
  type LoadedConfig,
  type Mode,
  type TokenKey,
} from '@tutti/server/config';

import { CliError, usageError } from './cli-error.ts';
import type { Output } from './output.ts';
import { settingsFlags } from './settings-flags.ts';

/** Where the command runs. */
export interface Surroundings {
  readonly env: Environment;
  readonly cwd: string;
}

/** Configuration for a node to run with. Throws with every problem that it has. */
export async function soundConfig(
  mode: Mode,
  flags: Readonly<Record<string, unknown>>,
  around: Surroundings,
  output: Output,
): Promise<LoadedConfig> {
  const config = await anyConfig(mode, flags, around);
  for (const warning of config.warnings) output.warn(warning);
  const [first, ...others] = config.problems;
  if (first === undefined) return config;
  const exitCode = config.problems.every(({ source }) => source.kind === 'flag') ? usageError('').exitCode : undefined;
  throw new CliError(
    others.length === 0 ? formatProblem(first) : `${config.problems.length} problems in the configuration:`,
    {
      remedies: others.length === 0 ? [] : config.problems.map((problem) => `- ${formatProblem(problem)}`),
      ...(exitCode === undefined ? {} : { exitCode }),
    },
  );
}

/** The same, problems and all. */
export function anyConfig(
  mode: Mode,
  flags: Readonly<Record<string, unknown>>,
  around: Surroundings,
): Promise<LoadedConfig> {
  const file = flags['config'];
  return loadConfig({ mode, ...around, flags: settingsFlags(flags), ...(typeof file === 'string' ? { file } : {}) });
}

export type SecretKey = Extract<TokenKey, { secret: string }>;

/** Whether `signingKey` has nothing but the development secret, which no node of `tutti serve` believes. */
export function hasOnlyDevKey({ settings }: LoadedConfig): boolean {
  return settings.tokenHmacSecret === '' && !settings.tokenKeys.some((key) => 'secret' in key);
}

/** A key to sign with: the first configured one with a secret, else the data folder's development secret. */
export function signingKey(config: LoadedConfig): SecretKey | undefined {
  const configured = config.settings.tokenKeys.find((key) => 'secret' in key);
  if (configured !== undefined) return configured;
  const { tokenHmacSecret } = withDevSecret(config.settings, { create: false });
  return tokenHmacSecret === '' ? undefined : { alg: 'HS256', secret: tokenHmacSecret };
}

import { parseArgs } from 'node:util';
import type { Scenario } from './scenarios/scenario.ts';

/** What every scenario understands. */
export interface CommonOptions {
  /** How often the scenario is run. */
  readonly repeat: number;
  /** File that gets the figures as well. */
  readonly json?: string;
  /** Folder for CPU profiles. */
  readonly profile?: string;
}

export interface ReadArguments {
  readonly options: Readonly<Record<string, number>>;
  readonly common: CommonOptions;
}

const repeatMax = 100;
const common = { json: { type: 'string' }, profile: { type: 'string' }, repeat: { type: 'string' } } as const;

/** Throws an Error that says what is wrong, and what would be right. */
export function readArguments(scenario: Pick<Scenario, 'name' | 'options'>, args: readonly string[]): ReadArguments {
  const names = Object.keys(scenario.options);
  const own = Object.fromEntries(names.map((name) => [flagName(name), { type: 'string' } as const]));
  let values: Readonly<Record<string, string | boolean | undefined>>;
  try {
    ({ values } = parseArgs({ args: [...args], options: { ...own, ...common }, strict: true }));
  } catch (error) {
    const known = [...names.map(flagName), ...Object.keys(common)].map((name) => `--${name}`).join(', ');
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${scenario.name} takes ${known}`, {
      cause: error,
    });
  }
  const options = Object.fromEntries(
    names.map((name) => [name, readNumber(flagName(name), values[flagName(name)], scenario.options[name]!.default)]),
  );
  const repeat = readNumber('repeat', values['repeat'], 1);
  if (!Number.isInteger(repeat) || repeat < 1 || repeat > repeatMax)
    throw new Error(`--repeat takes 1 to ${repeatMax}`);
  const { json, profile } = values;
  return {
    options,
    common: {
      repeat,
      ...(typeof json === 'string' ? { json } : {}),
      ...(typeof profile === 'string' ? { profile } : {}),
    },
  };
}

/** `warmUp` → `warm-up` */
export function flagName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function readNumber(name: string, written: string | boolean | undefined, otherwise: number): number {
  if (written === undefined) return otherwise;
  const value = typeof written === 'string' && /^\d+(\.\d+)?$/.test(written) ? Number(written) : NaN;
  if (!Number.isFinite(value)) throw new Error(`--${name} takes a number, not "${String(written)}"`);
  return value;
}

import { namespacePattern } from './channel-name.ts';
import { namespaceOptions } from './namespace-options.ts';
import type { Namespace } from './namespace.ts';
import { settingKey, type OptionSpec } from './option-spec.ts';
import type { SettingsOf } from './options.ts';
import { unknownName } from './problem.ts';
import { parseWritten } from './written-value.ts';

/** Called for each thing that is wrong. `path` is relative to the namespaces: `chat.historySize`. */
export type Report = (path: string, message: string) => void;

const specs: readonly [string, OptionSpec][] = Object.entries(namespaceOptions);
const names = specs.map(([name]) => name);
/** Namespaces of one node. */
export const namespacesMax = 1_000;

/** A map name → options, as written. Namespaces with problems are left out, and reported. */
export function readNamespaces(written: unknown, report: Report): Map<string, Namespace> {
  const read = new Map<string, Namespace>();
  if (!isRecord(written)) {
    report('', 'must map names of namespaces to their options: {"chat": {"historySize": 100}}');
    return read;
  }
  const entries = Object.entries(written);
  if (entries.length > namespacesMax) report('', `has more than ${namespacesMax} namespaces`);
  for (const [name, options] of entries.slice(0, namespacesMax)) {
    const namespace = readNamespace(name, options, report);
    if (namespace !== undefined) read.set(name, namespace);
  }
  return read;
}

/** One namespace of defaults, changed by `written`. Undefined where there was a problem, which is reported. */
export function readNamespace(name: string, written: unknown, report: Report): Namespace | undefined {
  let sound = true;
  const fail = (path: string, message: string): void => {
    sound = false;
    report(path, message);
  };
  if (!namespacePattern.test(name)) fail(name, 'is no name of a namespace: 1 to 64 of the characters a-z 0-9 _ -');
  if (!isRecord(written)) {
    fail(name, 'must be an object of options, such as {"historySize": 100}');
    return undefined;
  }
  for (const key of Object.keys(written)) {
    if (!names.includes(key)) fail(`${name}.${key}`, unknownName(key, names, 'an option of a namespace'));
  }
  const values = new Map<string, unknown>();
  for (const [key, spec] of specs) {
    const given = Object.hasOwn(written, key) && written[key] !== undefined;
    const parsed = parseWritten(spec, given ? written[key] : spec.default, false);
    if ('problem' in parsed) fail(`${name}.${key}`, parsed.problem);
    else values.set(settingKey(key, spec), parsed.value);
  }
  if (!sound) return undefined;
  // The table's derived type is what the loop above has filled in, entry by entry.
  const settings = Object.fromEntries(values) as SettingsOf<typeof namespaceOptions>;
  const namespace: Namespace = { name, ...settings };
  for (const [key, message] of contradictions(namespace)) fail(`${name}.${key}`, message);
  return sound ? namespace : undefined;
}

function contradictions(namespace: Namespace): [string, string][] {
  const found: [string, string][] = [];
  if (namespace.overflow === 'recover' && namespace.historySize === 0)
    found.push(['overflow', 'recover needs historySize: there is no log to go on from']);
  if (namespace.overflow === 'drop' && namespace.historySize > 0)
    found.push(['overflow', 'drop is only for namespaces without historySize: with history, recover loses nothing']);
  if (namespace.durable && namespace.historySize === 0)
    found.push(['durable', 'needs historySize: say how many publications to keep']);
  if (namespace.joinLeave && !namespace.presence) found.push(['joinLeave', 'needs presence: set presence to true too']);
  if (namespace.presenceGraceMs > 0 && !(namespace.joinLeave && namespace.joinLeaveBy === 'user'))
    found.push(['presenceGrace', 'needs joinLeave, and joinLeaveBy user']);
  return found;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

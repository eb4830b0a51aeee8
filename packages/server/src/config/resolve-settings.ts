import { exampleSecretWarnings } from './example-secrets.ts';
import type { Namespace } from './namespace.ts';
import type { OptionSpec, OptionTable } from './option-spec.ts';
import { isStructure, settingKey } from './option-spec.ts';
import { options, type OptionName, type Settings } from './options.ts';
import { defaultSource, unknownName, type ConfigProblem, type Source } from './problem.ts';
import { readApiKeys } from './read-api-keys.ts';
import { readNamespaces } from './read-namespaces.ts';
import { readTokenIssuers } from './read-token-issuers.ts';
import { readTokenKeys } from './read-token-keys.ts';
import { readWebhooks } from './read-webhooks.ts';
import { parseWritten, type Parsed } from './written-value.ts';

/** Values from one place, as written. Later layers win. */
export interface Layer {
  /** By the name of the option. */
  readonly values: ReadonlyMap<string, unknown>;
  /** Where the value of this option stands: the file, or the very variable or flag. */
  readonly source: (name: string) => Source;
  /** Variables and flags are text. */
  readonly fromText: boolean;
  /** What file names in values are relative to. */
  readonly folder: string;
}

export interface Resolved {
  readonly settings: Settings;
  readonly sources: ReadonlyMap<OptionName, Source>;
  readonly problems: ConfigProblem[];
  readonly warnings: string[];
}

/**
 * Reads every option from the last layer that has a sound value for it, and reports all problems
 * on the way. Namespaces are replaced as a whole, except that those of the dev preset stay
 * unless one of the same name is given.
 */
export function resolveSettings(layers: readonly Layer[]): Resolved {
  const { values, sources, problems, warnings } = resolveTable(options, layers);
  // The table's derived type is what resolveTable fills in, entry by entry.
  const settings = Object.fromEntries(values) as unknown as Settings;
  warnings.push(...exampleSecretWarnings(settings));
  return { settings, sources: sources as ReadonlyMap<OptionName, Source>, problems, warnings };
}

/** The same for any table; `values` is keyed as settings are (`pingIntervalMs`). */
export function resolveTable(
  table: OptionTable,
  layers: readonly Layer[],
): { values: Map<string, unknown>; sources: Map<string, Source>; problems: ConfigProblem[]; warnings: string[] } {
  const values = new Map<string, unknown>();
  const sources = new Map<string, Source>();
  const problems: ConfigProblem[] = [];
  const warnings: string[] = [];
  for (const [name, spec] of Object.entries(table)) {
    const parsed = parseAny(spec, spec.default, undefined, () => undefined);
    values.set(settingKey(name, spec), 'value' in parsed ? parsed.value : undefined);
    sources.set(name, defaultSource);
  }
  for (const layer of layers) {
    const written = currentNames(table, layer, problems, warnings);
    for (const [name, { value, source }] of written) {
      const spec = table[name]!;
      let sound = true;
      const parsed = parseAny(spec, value, layer, (path, message) => {
        sound = false;
        problems.push({ source, path: `${name}${path}`, message });
      });
      if ('problem' in parsed) problems.push({ source, path: name, message: parsed.problem });
      if ('problem' in parsed || !sound) continue;
      const key = settingKey(name, spec);
      const before = sources.get(name)?.kind === 'dev' ? values.get(key) : undefined;
      values.set(key, spec.type === 'namespaces' ? merged(before, parsed.value) : parsed.value);
      sources.set(name, source);
    }
  }
  return { values, sources, problems, warnings };
}

/** The layer's values by options that exist: unknown names are reported, deprecated ones translated. */
function currentNames(
  table: OptionTable,
  layer: Layer,
  problems: ConfigProblem[],
  warnings: string[],
): Map<string, { value: unknown; source: Source }> {
  const current = new Map<string, { value: unknown; source: Source }>();
  for (const [name, value] of layer.values) {
    const source = layer.source(name);
    const spec = Object.hasOwn(table, name) ? table[name] : undefined;
    if (spec === undefined) {
      problems.push({ source, path: name, message: unknownName(name, Object.keys(table), 'an option') });
    } else if (spec.deprecated === undefined) {
      current.set(name, { value, source });
    } else {
      warnings.push(`${source.name}: ${name} is deprecated; use ${spec.deprecated.use}`);
      if (!layer.values.has(spec.deprecated.use)) current.set(spec.deprecated.use, { value, source });
    }
  }
  return current;
}

type ReportAt = (path: string, message: string) => void;

function parseAny(spec: OptionSpec, written: unknown, layer: Layer | undefined, report: ReportAt): Parsed {
  if (!isStructure(spec)) return parseWritten(spec, written, layer?.fromText ?? false);
  if (layer === undefined) return { value: spec.type === 'namespaces' ? new Map<string, Namespace>() : [] };
  const structure = layer.fromText ? parseJson(written) : { value: written };
  if ('problem' in structure) return structure;
  if (spec.type === 'keys') return { value: readTokenKeys(structure.value, layer.folder, report) };
  if (spec.type === 'issuers') return { value: readTokenIssuers(structure.value, report) };
  if (spec.type === 'apiKeys') return { value: readApiKeys(structure.value, layer.folder, report) };
  if (spec.type === 'webhooks') return { value: readWebhooks(structure.value, layer.folder, report) };
  return { value: readNamespaces(structure.value, (path, message) => report(path === '' ? '' : `.${path}`, message)) };
}

function parseJson(written: unknown): Parsed {
  try {
    return { value: JSON.parse(String(written)) as unknown };
  } catch {
    // The parser's message quotes the text, which may be a secret.
    return { problem: 'must be JSON' };
  }
}

function merged(before: unknown, now: unknown): unknown {
  return before instanceof Map && now instanceof Map ? new Map<unknown, unknown>([...before, ...now]) : now;
}

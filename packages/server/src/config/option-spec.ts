/**
 * What one row of an option table says. From such rows come file keys, variables, flags, `--help`,
 * the reference page and the typed settings (options.ts, namespace-options.ts).
 */
export interface OptionSpec {
  readonly type: OptionType;
  /** As one would write it in a file: `'25s'`, `'64KiB'`, `'10%'`, 300. */
  readonly default: string | number | boolean | readonly string[];
  readonly description: string;
  /** Version that first had it. */
  readonly since: string;
  /** Of a plain number: what it counts. */
  readonly unit?: string;
  readonly choices?: readonly string[];
  /** Of numbers, durations (milliseconds) and sizes (bytes); inclusive. */
  readonly min?: number;
  readonly max?: number;
  /** Never printed, and has no flag, because every user of a machine sees the arguments of a process. */
  readonly secret?: true;
  /** No longer read by the node; a value is moved to the option named here, with a warning. */
  readonly deprecated?: { readonly use: string };
}

/**
 * `duration`: `'250ms' '25s' '5m' '24h' '30d'`, in milliseconds once read. `size`: `'64KiB' '5MiB'`,
 * or a plain number of bytes. `share`: `'10%'` or 0.1. `list`: an array, or words with commas in a
 * variable or flag. `keys`, `apiKeys`, `issuers`, `webhooks` and `namespaces`: structures, as JSON in a variable.
 */
export type OptionType =
  | 'text'
  | 'integer'
  | 'duration'
  | 'size'
  | 'share'
  | 'boolean'
  | 'choice'
  | 'list'
  | 'keys'
  | 'apiKeys'
  | 'webhooks'
  | 'issuers'
  | 'namespaces';

export type OptionTable = Readonly<Record<string, OptionSpec>>;

/** Key of an option in typed settings: durations say their unit (`pingInterval` → `pingIntervalMs`). */
export type SettingKey<Name extends string, Spec extends OptionSpec> = Spec['type'] extends 'duration'
  ? `${Name}Ms`
  : Name;

export function settingKey(name: string, spec: OptionSpec): string {
  return spec.type === 'duration' ? `${name}Ms` : name;
}

/** `TUTTI_PING_INTERVAL` for `pingInterval`. */
export function variableName(name: string): string {
  return `TUTTI_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** `--ping-interval` for `pingInterval`; undefined where the option has no flag. */
export function flagName(name: string, spec: OptionSpec): string | undefined {
  if (spec.secret === true || isStructure(spec)) return undefined;
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Too large for a flag; JSON in a variable. */
export function isStructure({ type }: Pick<OptionSpec, 'type'>): boolean {
  return type === 'keys' || type === 'apiKeys' || type === 'issuers' || type === 'webhooks' || type === 'namespaces';
}

import type { ApiKey } from './api-key.ts';
import { namespaceOptions } from './namespace-options.ts';
import type { Namespace } from './namespace.ts';
import { settingKey, variableName, type OptionSpec } from './option-spec.ts';
import { options, type OptionName, type Settings } from './options.ts';
import { defaultSource, type Source } from './problem.ts';
import type { TokenKey } from './token-key.ts';
import type { Webhook } from './webhook.ts';
import { formatWritten } from './written-value.ts';

/** One effective value, safe to print: secrets are masked. */
export interface DescribedValue {
  /** As a path: `namespaces.chat.historySize`. */
  readonly name: string;
  /** As one would write it. */
  readonly value: string;
  readonly source: Source;
}

export const mask = '********';

/** What a node runs with, and where each value came from; namespaces one row an option. */
export function describeSettings(settings: Settings, sources: ReadonlyMap<OptionName, Source>): DescribedValue[] {
  return rowsOf(options, settings).flatMap(([name, spec, value]): DescribedValue[] => {
    const source = sources.get(name as OptionName) ?? defaultSource;
    if (spec.type !== 'namespaces') return [{ name, value: describeValue(spec, value), source }];
    return [...settings.namespaces.values()].flatMap((namespace) => describeNamespace(name, namespace, source));
  });
}

/** `NAME=value` lines that set the same by environment. Secrets are masked, and need their value filled in. */
export function describeAsVariables(settings: Settings): string[] {
  return rowsOf(options, settings).map(([name, spec, value]) => {
    const text =
      spec.type === 'namespaces' ? JSON.stringify(writtenNamespaces(settings.namespaces)) : describeValue(spec, value);
    return `${variableName(name)}=${shellQuoted(text)}`;
  });
}

function rowsOf(table: typeof options | typeof namespaceOptions, values: object): [string, OptionSpec, unknown][] {
  const byKey = new Map<string, unknown>(Object.entries(values));
  return Object.entries(table).map(([name, spec]: [string, OptionSpec]) => [
    name,
    spec,
    byKey.get(settingKey(name, spec)),
  ]);
}

function describeNamespace(path: string, namespace: Namespace, source: Source): DescribedValue[] {
  return rowsOf(namespaceOptions, namespace).map(([name, spec, value]) => ({
    name: `${path}.${namespace.name}.${name}`,
    value: formatWritten(spec, value),
    source,
  }));
}

function describeValue(spec: OptionSpec, value: unknown): string {
  if (spec.type === 'keys') return describeKeys(value as readonly TokenKey[]);
  if (spec.type === 'apiKeys') return describeApiKeys(value as readonly ApiKey[]);
  if (spec.type === 'webhooks') return describeWebhooks(value as readonly Webhook[]);
  if (spec.secret === true) return value === '' ? '' : mask;
  // An engine's URL may carry a password.
  return formatWritten(spec, value).replace(/(:\/\/[^:/@]*:)[^@/]+@/, `$1${mask}@`);
}

function describeKeys(keys: readonly TokenKey[]): string {
  const shown = keys.map((key) => ({
    alg: key.alg,
    ...(key.kid === undefined ? {} : { kid: key.kid }),
    ...('secret' in key ? { secret: mask } : { publicKey: key.publicKey }),
  }));
  return JSON.stringify(shown);
}

function describeApiKeys(keys: readonly ApiKey[]): string {
  return JSON.stringify(keys.map((key) => ({ ...key, key: mask })));
}

function describeWebhooks(webhooks: readonly Webhook[]): string {
  const shown = webhooks.map(({ secrets, batchDelayMs, ...rest }) => ({
    ...rest,
    batchDelay: `${batchDelayMs}ms`,
    ...(secrets.length === 1 ? { secret: mask } : { secrets: secrets.map(() => mask) }),
  }));
  return JSON.stringify(shown);
}

function writtenNamespaces(namespaces: ReadonlyMap<string, Namespace>): Record<string, Record<string, unknown>> {
  const written = [...namespaces.values()].map((namespace): [string, Record<string, unknown>] => {
    const rows = rowsOf(namespaceOptions, namespace).map(([name, spec, value]): [string, unknown] => [
      name,
      spec.type === 'duration' ? formatWritten(spec, value) : value,
    ]);
    return [namespace.name, Object.fromEntries(rows)];
  });
  return Object.fromEntries(written);
}

function shellQuoted(text: string): string {
  return /^[\w./:,%-]*$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

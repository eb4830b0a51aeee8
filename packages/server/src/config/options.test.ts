import assert from 'node:assert/strict';
import { test } from 'node:test';

import { renderConfigurationPage } from './configuration-page.ts';
import type { namespaceOptions as NamespaceTable } from './namespace-options.ts';
import { namespaceOptions } from './namespace-options.ts';
import type { Namespace } from './namespace.ts';
import { flagName, variableName, type OptionSpec } from './option-spec.ts';
import { options, type Settings, type SettingsOf } from './options.ts';
import { defaultSettings, devSettings } from './presets.ts';
import { resolveTable } from './resolve-settings.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Does not compile where the table and the contract of a namespace differ. */
const tableIsContract: Equal<SettingsOf<typeof NamespaceTable>, Omit<Namespace, 'name'>> = true;
const durationsSayTheirUnit: Equal<Settings['pingIntervalMs'], number> = true;
const choicesAreUnions: Equal<Settings['logLevel'], 'debug' | 'info' | 'warn' | 'error' | 'silent'> = true;

test('the types derived from the tables are those of the contracts', () => {
  assert.ok(tableIsContract && durationsSayTheirUnit && choicesAreUnions);
});

const all: [string, OptionSpec][] = [...Object.entries(options), ...Object.entries(namespaceOptions)];

test('every option is described, names say their unit, and numbers are bounded', () => {
  for (const [name, spec] of all) {
    assert.match(spec.description, /\.$/, name);
    assert.match(spec.since, /^\d+\.\d+$/, name);
    if (spec.type === 'size') assert.match(name, /Bytes/, 'sizes keep their name, so it must say bytes');
    if (spec.type === 'duration') assert.doesNotMatch(name, /Ms|Seconds/);
    if (['integer', 'duration', 'size', 'share'].includes(spec.type))
      assert.ok(spec.min !== undefined && spec.max !== undefined, name);
  }
});

test('names of variables and flags', () => {
  assert.equal(variableName('pingInterval'), 'TUTTI_PING_INTERVAL');
  assert.equal(flagName('pingInterval', options.pingInterval), '--ping-interval');
  for (const [name, spec] of all) if (spec.secret) assert.equal(flagName(name, spec), undefined, `${name} is a secret`);
});

test('S5: the defaults are secure, and open to this machine only', () => {
  const settings = defaultSettings();
  assert.equal(settings.insecure, false);
  assert.equal(settings.allowAnonymous, false);
  assert.equal(settings.host, '127.0.0.1');
  assert.equal(settings.namespaces.size, 0);
});

test('S10: in the dev preset nobody publishes figures or prices, or reads the channel of another', () => {
  const { namespaces, personalNamespace } = devSettings();
  for (const name of ['tutti', 'ticker', 'personal']) assert.equal(namespaces.get(name)?.allowPublish, 'nobody', name);
  assert.equal(namespaces.get(personalNamespace)?.allowSubscribe, 'nobody');
  const chat = namespaces.get('chat');
  assert.deepEqual(
    [chat?.historySize, chat?.historyTtlMs, chat?.durable, chat?.joinLeave],
    [1000, 30 * 86_400_000, true, true],
  );
});

test('a deprecated option is moved to the one in use, with a warning', () => {
  const table = {
    ping: { type: 'duration', default: '25s', description: '', since: '9', deprecated: { use: 'pingInterval' } },
    pingInterval: { type: 'duration', default: '25s', description: '', since: '9' },
  } as const;
  const layer = (values: Record<string, unknown>) => ({
    values: new Map(Object.entries(values)),
    source: () => ({ kind: 'file', name: 'f' }) as const,
    fromText: false,
    folder: '.',
  });
  const moved = resolveTable(table, [layer({ ping: '5s' })]);
  assert.equal(moved.values.get('pingIntervalMs'), 5_000);
  assert.deepEqual(moved.warnings, ['f: ping is deprecated; use pingInterval']);
  assert.equal(resolveTable(table, [layer({ ping: '5s', pingInterval: '6s' })]).values.get('pingIntervalMs'), 6_000);
});

test('the reference page names every option, its variable and its flag', () => {
  const page = renderConfigurationPage();
  for (const [name, spec] of Object.entries(options) as [string, OptionSpec][]) {
    assert.ok(page.includes(`### ${name}\n`), name);
    assert.ok(page.includes(variableName(name)), name);
    const flag = flagName(name, spec);
    if (flag !== undefined) assert.ok(page.includes(`\`${flag}\``), name);
  }
  for (const name of Object.keys(namespaceOptions)) assert.ok(page.includes(`| \`${name}\` |`), name);
});

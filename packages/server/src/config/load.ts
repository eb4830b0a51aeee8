import { relative } from 'node:path';

import { folderOf, readConfigFile, type FoundFile } from './config-file.ts';
import { contradictions, type Mode } from './contradictions.ts';
import type { HookFunctions } from './hook-functions.ts';
import { flagName, variableName, type OptionSpec } from './option-spec.ts';
import { options, type OptionName, type Settings } from './options.ts';
import { devLayer } from './presets.ts';
import { defaultSource, unknownName, type ConfigProblem, type Source } from './problem.ts';
import { resolveSettings, type Layer } from './resolve-settings.ts';
import type { RpcHandler } from './rpc-handler.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface LoadRequest {
  /** Default `serve`. `dev` starts from the dev preset. */
  readonly mode?: Mode;
  /** The configuration file; else `TUTTI_CONFIG`, else the first of `configFileNames` in `cwd`. */
  readonly file?: string;
  readonly env?: Environment;
  /** By the name of the option (`pingInterval`); undefined counts as not given. */
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly cwd?: string;
}

export interface LoadedConfig {
  /** Sound where `problems` is empty. Else options with problems have the value of the layer below. */
  readonly settings: Settings;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
  readonly sources: ReadonlyMap<OptionName, Source>;
  readonly rpc: Readonly<Record<string, RpcHandler>>;
  readonly hooks: HookFunctions;
  /** The configuration file that was read. */
  readonly file?: string;
}

/** Variables that begin with TUTTI_ and are no option of a node. */
export const otherVariables = ['TUTTI_CONFIG', 'TUTTI_URL', 'TUTTI_TOKEN', 'TUTTI_API_KEY', 'TUTTI_REQUIRE_SERVICES'];
// Kubernetes gives these to every pod beside a service that is named tutti, or tutti-something.
const serviceLink = /^TUTTI_(?:.+_)?(?:SERVICE_(?:HOST|PORT(?:_.+)?)|PORT_\d+_(?:TCP|UDP|SCTP)(?:_.+)?)$/;
const portLink = /^TUTTI_(?:.+_)?PORT$/;

function isServiceLink(variable: string, text: string): boolean {
  // The name may be that of an option, such as TUTTI_PORT. No port is written so: the value tells.
  return serviceLink.test(variable) || (portLink.test(variable) && /^(?:tcp|udp|sctp):\/\//i.test(text));
}

/**
 * default < file < environment < flag. Reads everything and reports all problems at once; never
 * throws. The one place that looks at the environment of the process.
 */
export async function loadConfig(request: LoadRequest = {}): Promise<LoadedConfig> {
  const { mode = 'serve', env = process.env, flags = {}, cwd = process.cwd() } = request;
  const named = request.file ?? (env['TUTTI_CONFIG'] === '' ? undefined : env['TUTTI_CONFIG']);
  const found = await readConfigFile(cwd, named);
  const problems: ConfigProblem[] = [];
  const layers = mode === 'dev' ? [devLayer()] : [];
  layers.push(...fileLayers(found, cwd, problems));
  layers.push(variableLayer(env, cwd, problems), flagLayer(flags, cwd));
  const resolved = resolveSettings(layers);
  problems.push(...resolved.problems);
  const file = 'file' in found ? found.file : undefined;
  const hooks = file?.hooks ?? {};
  for (const { option, path = '', message } of contradictions(resolved.settings, mode, new Set(Object.keys(hooks)))) {
    // A value that could not be read was reported already; what follows from its absence is no news.
    if (problems.some((problem) => problem.path.startsWith(option))) continue;
    problems.push({ source: resolved.sources.get(option) ?? defaultSource, path: `${option}${path}`, message });
  }
  return { ...resolved, problems, rpc: file?.rpc ?? {}, hooks, ...(file === undefined ? {} : { file: file.path }) };
}

function fileLayers(found: FoundFile, cwd: string, problems: ConfigProblem[]): Layer[] {
  if ('problem' in found) {
    problems.push({ source: fileSource(found.path, cwd), path: '', message: found.problem });
    return [];
  }
  if (found.file === undefined) return [];
  const source = fileSource(found.file.path, cwd);
  // Hand-written files say `undefined` for "not set".
  const values = new Map([...found.file.values].filter(([, value]) => value !== undefined));
  return [{ values, source: () => source, fromText: false, folder: folderOf(found.file.path) }];
}

function fileSource(path: string, cwd: string): Source {
  const near = relative(cwd, path);
  return { kind: 'file', name: near.startsWith('..') ? path : near };
}

function variableLayer(env: Environment, cwd: string, problems: ConfigProblem[]): Layer {
  const names = new Map(Object.keys(options).map((name) => [variableName(name), name]));
  const values = new Map<string, string>();
  for (const [variable, text] of Object.entries(env)) {
    if (text === undefined || !variable.startsWith('TUTTI_') || isServiceLink(variable, text)) continue;
    const name = names.get(variable);
    const source: Source = { kind: 'variable', name: variable };
    if (name === undefined) {
      if (otherVariables.includes(variable)) continue;
      problems.push({
        source,
        path: '',
        message: unknownName(variable, [...names.keys(), ...otherVariables], 'a variable of tutti'),
      });
    } else if (text !== '' || optionSpec(name).type === 'text' || optionSpec(name).type === 'list') {
      values.set(name, text);
    }
  }
  const source = (name: string): Source => ({ kind: 'variable', name: variableName(name) });
  return { values, source, fromText: true, folder: cwd };
}

function flagLayer(flags: Readonly<Record<string, unknown>>, cwd: string): Layer {
  const values = new Map(Object.entries(flags).filter(([, value]) => value !== undefined));
  const source = (name: string): Source => ({ kind: 'flag', name: flagOf(name) });
  return { values, source, fromText: true, folder: cwd };
}

function flagOf(name: string): string {
  const spec = Object.hasOwn(options, name) ? optionSpec(name) : undefined;
  return (spec === undefined ? undefined : flagName(name, spec)) ?? `--${name}`;
}

function optionSpec(name: string): OptionSpec {
  return options[name as OptionName];
}

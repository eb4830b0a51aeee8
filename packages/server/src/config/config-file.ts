import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, extname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { validateJson } from '@tutti/protocol/json';

import { hookNames } from '../hooks/hooks.ts';
import type { HookFunctions } from './hook-functions.ts';
import { unknownName } from './problem.ts';
import { isRecord } from './read-namespaces.ts';
import type { RpcHandler } from './rpc-handler.ts';

/** Looked for in the working directory, in this order; the first one counts. */
export const configFileNames = ['tutti.config.ts', 'tutti.config.js', 'tutti.config.json'] as const;
const yamlNames = ['tutti.config.yaml', 'tutti.config.yml'];
const fileBytesMax = 1024 * 1024;

export interface ConfigFile {
  readonly path: string;
  readonly values: ReadonlyMap<string, unknown>;
  readonly rpc: Readonly<Record<string, RpcHandler>>;
  readonly hooks: HookFunctions;
}

/** The file, nothing where there is none, or why it cannot be used. */
export type FoundFile = { readonly file?: ConfigFile } | { readonly path: string; readonly problem: string };

/** `named`: by flag or variable; then it must exist. */
export async function readConfigFile(cwd: string, named: string | undefined): Promise<FoundFile> {
  if (named === undefined) {
    const name = configFileNames.find((candidate) => existsSync(join(cwd, candidate)));
    const yaml = yamlNames.find((candidate) => existsSync(join(cwd, candidate)));
    if (name !== undefined) return readNamed(join(cwd, name));
    return yaml === undefined ? {} : { path: join(cwd, yaml), problem: notYaml };
  }
  return readNamed(resolve(cwd, named));
}

const notYaml = 'YAML is not read: write tutti.config.json, or tutti.config.ts with defineConfig';

async function readNamed(path: string): Promise<FoundFile> {
  const extension = extname(path);
  if (extension === '.yaml' || extension === '.yml') return { path, problem: notYaml };
  if (!existsSync(path)) return { path, problem: 'there is no such file' };
  try {
    const content = extension === '.json' ? readJson(path) : await importDefault(path);
    return split(path, content);
  } catch (error) {
    return { path, problem: error instanceof Error ? error.message : String(error) };
  }
}

function readJson(path: string): unknown {
  if (statSync(path).size > fileBytesMax) throw new Error(`the file is larger than ${fileBytesMax} bytes`);
  const text = readFileSync(path, 'utf8');
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Error(`the file is not JSON${placeOf(text)}`);
  }
}

// JSON.parse quotes the file, which may hold secrets, and often not the place. The codec's validator does the reverse.
function placeOf(text: string): string {
  try {
    validateJson(Buffer.from(text));
    return '';
  } catch (error) {
    const found = /^json: (.+) at byte (\d+)$/.exec(error instanceof Error ? error.message : '');
    if (found === null) return '';
    const before = Buffer.from(text).subarray(0, Number(found[2])).toString().split('\n');
    return `: ${found[1] ?? ''} (line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1})`;
  }
}

async function importDefault(path: string): Promise<unknown> {
  const module = (await import(pathToFileURL(path).href)) as { default?: unknown };
  if (module.default === undefined)
    throw new Error('the file has no default export: export default defineConfig({ … })');
  return module.default;
}

function split(path: string, content: unknown): FoundFile {
  if (!isRecord(content)) return { path, problem: 'the file must hold one object of options' };
  const values = new Map(Object.entries(content));
  // Lets editors find a schema; not an option.
  values.delete('$schema');
  const rpc = values.get('rpc') ?? {};
  values.delete('rpc');
  const hooks = values.get('hooks') ?? {};
  values.delete('hooks');
  const problem = rpcProblem(rpc) ?? hooksProblem(hooks);
  if (problem !== undefined) return { path, problem };
  return { file: { path, values, rpc: rpc as Record<string, RpcHandler>, hooks } };
}

function rpcProblem(rpc: unknown): string | undefined {
  if (!isRecord(rpc)) return 'rpc must map names of methods to functions';
  for (const [name, handler] of Object.entries(rpc)) {
    if (typeof handler !== 'function') return `rpc.${name} must be a function: (data, context) => answer`;
  }
  return undefined;
}

/** Undefined: it is a set of hooks. */
export function hooksProblem(hooks: unknown): string | undefined {
  if (!isRecord(hooks)) return 'hooks must map names of hooks to functions';
  for (const [name, hook] of Object.entries(hooks)) {
    if (!(functionNames as readonly string[]).includes(name))
      return `hooks.${name} ${unknownName(name, functionNames, 'a hook')}`;
    if (typeof hook !== 'function') return `hooks.${name} must be a function: (context) => answer`;
  }
  return undefined;
}

const functionNames = [...hookNames, 'disconnect', 'unsubscribe'] as const satisfies readonly (keyof HookFunctions)[];

/** What file names in a configuration file are relative to. */
export function folderOf(path: string): string {
  return dirname(path);
}

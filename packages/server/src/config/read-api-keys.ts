import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { apiKeyProblem, apiKeysMax, apiRightNames, type ApiKey } from './api-key.ts';
import { unknownName } from './problem.ts';
import { isRecord, type Report } from './read-namespaces.ts';
import { isTenantName } from './tenant.ts';

const members = ['name', 'key', 'keyFile', 'allow', 'channels', 'tenant'];
const shape = '{name, key, allow, channels?} or {name, keyFile, allow, channels?}';

/** A list of keys, as written. `folder`: what key files are relative to. Unsound keys are left out, and reported. */
export function readApiKeys(written: unknown, folder: string, report: Report): ApiKey[] {
  if (!Array.isArray(written)) {
    report('', 'must be a list of keys: [{"name": "backend", "key": "…", "allow": "*"}]');
    return [];
  }
  if (written.length > apiKeysMax) report('', `has more than ${apiKeysMax} keys`);
  const read: ApiKey[] = [];
  for (const [index, item] of written.slice(0, apiKeysMax).entries()) {
    const key = readApiKey(item, folder, (path, message) => report(`[${index}]${path}`, message));
    if (key === undefined) continue;
    if (read.some(({ name }) => name === key.name)) report(`[${index}].name`, 'is the name of an earlier key');
    if (read.some((other) => other.key === key.key)) report(`[${index}]`, 'has the key of an earlier one');
    read.push(key);
  }
  return read;
}

function readApiKey(written: unknown, folder: string, report: Report): ApiKey | undefined {
  if (!isRecord(written)) {
    report('', `must be ${shape}`);
    return undefined;
  }
  for (const name of Object.keys(written)) {
    if (!members.includes(name)) report(`.${name}`, unknownName(name, members, 'a member of a key'));
  }
  const { name, key: text, keyFile } = written;
  if (typeof name !== 'string' || (text === undefined) === (keyFile === undefined)) {
    report('', `must be ${shape}`);
    return undefined;
  }
  const key = keyFile === undefined ? text : readKeyFile(keyFile, folder, report);
  const allow = readAllow(written['allow'], report);
  const channels = written['channels'] === undefined ? undefined : readChannels(written['channels'], report);
  if (allow === undefined || channels === null || key === undefined) return undefined;
  if (typeof key !== 'string') {
    report('.key', 'must be text');
    return undefined;
  }
  const problem = apiKeyProblem({ name, key });
  const { tenant } = written;
  if (tenant !== undefined && (typeof tenant !== 'string' || (tenant !== '' && !isTenantName(tenant)))) {
    report('.tenant', 'must be 1 to 64 of the characters A-Z a-z 0-9 _ . -');
    return undefined;
  }
  const bounds = { ...(channels === undefined ? {} : { channels }), ...(tenant === undefined ? {} : { tenant }) };
  if (problem === undefined) return { name, key, allow, ...bounds };
  report('', `is not usable: ${problem}`);
  return undefined;
}

function readAllow(written: unknown, report: Report): string[] | undefined {
  if (written === '*') return ['*'];
  if (!isTexts(written) || written.length === 0) {
    report('.allow', 'must be "*" or a list of rights, such as ["publish", "history"]');
    return undefined;
  }
  const known: readonly string[] = ['*', ...apiRightNames];
  const unknown = written.filter((name) => !known.includes(name));
  for (const name of unknown) report('.allow', unknownName(name, known, 'a right of a key'));
  return unknown.length > 0 ? undefined : [...written];
}

/** Null: reported. */
function readChannels(written: unknown, report: Report): string[] | null {
  // A `*` elsewhere would look like a pattern, and match nothing.
  if (isTexts(written) && written.every((pattern) => /^[^*]*[*]?$/.test(pattern) && pattern !== ''))
    return [...written];
  report('.channels', 'must be a list of channel names, or of beginnings with * at the end: ["chat:*", "news"]');
  return null;
}

function isTexts(written: unknown): written is string[] {
  return Array.isArray(written) && written.every((item) => typeof item === 'string');
}

function readKeyFile(file: unknown, folder: string, report: Report): string | undefined {
  if (typeof file !== 'string') {
    report('.keyFile', 'must be the name of a file');
    return undefined;
  }
  try {
    return readFileSync(resolve(folder, file), 'utf8').trim();
  } catch (error) {
    report('.keyFile', `cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { unknownName } from './problem.ts';
import { isRecord, type Report } from './read-namespaces.ts';
import { tokenAlgorithms, tokenKeyProblem, tokenKeysMax, type TokenAlgorithm, type TokenKey } from './token-key.ts';

const members = ['alg', 'kid', 'secret', 'publicKey', 'publicKeyFile'];
const materials = ['secret', 'publicKey', 'publicKeyFile'];

/** A list of keys, as written. `folder`: what key files are relative to. Unsound keys are left out, and reported. */
export function readTokenKeys(written: unknown, folder: string, report: Report): TokenKey[] {
  if (!Array.isArray(written)) {
    report('', 'must be a list of keys: [{"alg": "HS256", "secret": "…"}]');
    return [];
  }
  if (written.length > tokenKeysMax) report('', `has more than ${tokenKeysMax} keys`);
  const read: TokenKey[] = [];
  for (const [index, item] of written.slice(0, tokenKeysMax).entries()) {
    const key = readTokenKey(item, folder, (path, message) => report(`[${index}]${path}`, message));
    if (key === undefined) continue;
    const twin = read.some((other) => key.kid !== undefined && other.kid === key.kid && other.alg === key.alg);
    if (twin) report(`[${index}]`, `has the kid and alg of an earlier key`);
    read.push(key);
  }
  return read;
}

function readTokenKey(written: unknown, folder: string, report: Report): TokenKey | undefined {
  if (!isRecord(written)) {
    report('', 'must be {alg, kid?, secret} or {alg, kid?, publicKey} or {alg, kid?, publicKeyFile}');
    return undefined;
  }
  for (const name of Object.keys(written)) {
    if (!members.includes(name)) report(`.${name}`, unknownName(name, members, 'a member of a key'));
  }
  const { alg, kid, secret, publicKey, publicKeyFile } = written;
  if (materials.filter((name) => written[name] !== undefined).length !== 1) {
    report('', 'needs exactly one of secret, publicKey and publicKeyFile');
    return undefined;
  }
  const text = secret ?? publicKey ?? publicKeyFile;
  if (typeof alg !== 'string' || typeof text !== 'string' || (kid !== undefined && typeof kid !== 'string')) {
    report('', `needs alg (one of ${tokenAlgorithms.join(', ')}), and text for the others`);
    return undefined;
  }
  const common = { alg: alg as TokenAlgorithm, ...(kid === undefined ? {} : { kid }) };
  const pem = publicKeyFile === undefined ? text : readKeyFile(text, folder, report);
  if (pem === undefined) return undefined;
  const key: TokenKey = secret === undefined ? { ...common, publicKey: pem } : { ...common, secret: pem };
  const problem = tokenKeyProblem(key, createPublicKey);
  if (problem !== undefined) report('', `is not usable: ${problem}`);
  return problem === undefined ? key : undefined;
}

function readKeyFile(file: string, folder: string, report: Report): string | undefined {
  try {
    return readFileSync(resolve(folder, file), 'utf8');
  } catch (error) {
    report('.publicKeyFile', `cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

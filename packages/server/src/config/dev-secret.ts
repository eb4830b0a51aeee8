import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Settings } from './options.ts';

/** In the data folder, readable by its owner only. */
export const devSecretFile = 'dev-token-secret';
export const devApiKeyFile = 'dev-api-key';

/**
 * The data folder's own HMAC secret, so that `tutti token` and tokens as such can be tried on
 * `tutti dev` without configuration. Settings that have a key are returned as they are.
 * `create`: make one where there is none; else the settings stay without. Throws what the file system throws.
 */
export function withDevSecret(settings: Settings, options: { create: boolean }): Settings {
  if (settings.tokenHmacSecret !== '' || settings.tokenKeys.length > 0) return settings;
  const secret = secretIn(settings.dataDir, devSecretFile, options);
  return secret === undefined ? settings : { ...settings, tokenHmacSecret: secret };
}

/** The same for the server API: a key of the data folder's own that opens all of it. */
export function withDevApiKey(settings: Settings, options: { create: boolean }): Settings {
  if (settings.apiKeys.length > 0) return settings;
  const key = secretIn(settings.dataDir, devApiKeyFile, options);
  return key === undefined ? settings : { ...settings, apiKeys: [{ name: 'dev', key, allow: ['*'] }] };
}

function secretIn(folder: string, name: string, { create }: { create: boolean }): string | undefined {
  const file = join(folder, name);
  return readSecret(file) ?? (create ? createSecret(folder, file) : undefined);
}

function createSecret(folder: string, file: string): string {
  mkdirSync(folder, { recursive: true });
  const secret = randomBytes(48).toString('base64url');
  try {
    writeFileSync(file, `${secret}\n`, { mode: 0o600, flag: 'wx' });
    return secret;
  } catch (error) {
    // Another process was faster: its secret is the one.
    const existing = isCode(error, 'EEXIST') ? readSecret(file) : undefined;
    if (existing === undefined) throw error;
    return existing;
  }
}

function readSecret(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}

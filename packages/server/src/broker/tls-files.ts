import { readFileSync } from 'node:fs';
import { Fault } from '../core/fault.ts';

export interface TlsFileSettings {
  /** PEM files; empty: none. */
  readonly engineCaFile: string;
  readonly engineCertFile: string;
  readonly engineKeyFile: string;
}

/** PEM texts, as Node's TLS takes them. */
export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** Throws `Fault` for a file that cannot be read. */
export function readTlsFiles({ engineCaFile, engineCertFile, engineKeyFile }: TlsFileSettings): TlsFiles {
  return {
    ...(engineCaFile === '' ? {} : { ca: readSetting('engineCaFile', engineCaFile) }),
    ...(engineCertFile === '' ? {} : { cert: readSetting('engineCertFile', engineCertFile) }),
    ...(engineKeyFile === '' ? {} : { key: readSetting('engineKeyFile', engineKeyFile) }),
  };
}

export function readSetting(setting: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Fault('config', `${setting}: ${file} cannot be read`, { retryable: false, cause: error });
  }
}

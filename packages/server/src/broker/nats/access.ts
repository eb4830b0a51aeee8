import { readFileSync } from 'node:fs';
import { credsAuthenticator } from '@nats-io/transport-node';
import { Fault } from '../../core/fault.ts';
import type { NatsLinkOptions } from './nats-link.ts';

export interface NatsAccessSettings {
  /** File with a JWT and its seed, as `nsc` writes it; empty: none. */
  readonly engineCredentialsFile: string;
  /** PEM files; empty: none. */
  readonly engineCaFile: string;
  readonly engineCertFile: string;
  readonly engineKeyFile: string;
}

type Access = NonNullable<NatsLinkOptions['access']>;

/**
 * Servers and what they are shown, of a list `nats://user:password@host:4222,nats://other:4222`; a user without a
 * password is a token. Any `tls://` asks for TLS with all. Throws `Fault` for a file that cannot be read.
 */
export function accessOf(
  urls: readonly URL[],
  settings: NatsAccessSettings,
): { readonly servers: readonly string[]; readonly access: Access } {
  const { username = '', password = '' } = urls.find((url) => url.username !== '') ?? {};
  const [user, pass] = [decodeURIComponent(username), decodeURIComponent(password)];
  const { engineCredentialsFile, engineCaFile: caFile, engineCertFile: certFile, engineKeyFile: keyFile } = settings;
  const files = {
    ...(caFile === '' ? {} : { ca: readSetting('engineCaFile', caFile) }),
    ...(certFile === '' ? {} : { cert: readSetting('engineCertFile', certFile) }),
    ...(keyFile === '' ? {} : { key: readSetting('engineKeyFile', keyFile) }),
  };
  const usesTls = urls.some(({ protocol }) => protocol === 'tls:') || Object.keys(files).length > 0;
  const access: Access = {
    ...(user !== '' && pass !== '' ? { user, pass } : {}),
    ...(user !== '' && pass === '' ? { token: user } : {}),
    ...(usesTls ? { tls: files } : {}),
    ...(engineCredentialsFile === ''
      ? {}
      : {
          authenticator: credsAuthenticator(
            new TextEncoder().encode(readSetting('engineCredentialsFile', engineCredentialsFile)),
          ),
        }),
  };
  return { servers: urls.map(({ host }) => host), access };
}

function readSetting(setting: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Fault('config', `${setting}: ${file} cannot be read`, { retryable: false, cause: error });
  }
}

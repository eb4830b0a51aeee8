import { isIP } from 'node:net';
import { checkServerIdentity, type ConnectionOptions as TlsConnectionOptions } from 'node:tls';
import { credsAuthenticator, nkeyAuthenticator, type ConnectionOptions } from '@nats-io/transport-node';
import { Fault } from '../../core/fault.ts';
import { tlsAdvice } from '../connect-advice.ts';
import { readSetting, readTlsFiles, type TlsFileSettings } from '../tls-files.ts';

export interface NatsAccessSettings extends TlsFileSettings {
  /** File with a JWT and its seed, as `nsc` writes it, or with the seed of an nkey alone; empty: none. */
  readonly engineCredentialsFile: string;
}

/** User, password, token, TLS files, authenticator: as the driver takes them. */
export type NatsAccess = Pick<ConnectionOptions, 'user' | 'pass' | 'token' | 'tls' | 'authenticator'>;

/**
 * Servers and what they are shown, of a list `nats://user:password@host:4222,nats://other:4222`; a user without a
 * password is a token. Any `tls://` asks for TLS with all. Throws `Fault` for a file that cannot be read or used.
 */
export function accessOf(
  urls: readonly URL[],
  settings: NatsAccessSettings,
): { readonly servers: readonly string[]; readonly access: NatsAccess } {
  const { username = '', password = '' } = urls.find((url) => url.username !== '') ?? {};
  const [user, pass] = [decodeURIComponent(username), decodeURIComponent(password)];
  const files = readTlsFiles(settings);
  const usesTls = urls.some(({ protocol }) => protocol === 'tls:') || Object.keys(files).length > 0;
  const access: NatsAccess = {
    ...(user !== '' && pass !== '' ? { user, pass } : {}),
    ...(user !== '' && pass === '' ? { token: user } : {}),
    ...(usesTls ? { tls: { ...files, ...identityCheck(urls) } } : {}),
    ...credentialsOf(settings.engineCredentialsFile),
  };
  return { servers: urls.map(({ host }) => host), access };
}

/**
 * To addresses the driver connects without naming a host to TLS, and a certificate would be held against `localhost`:
 * then it must be for one of the addresses that the engine names.
 */
function identityCheck(urls: readonly URL[]): Pick<TlsConnectionOptions, 'checkServerIdentity'> {
  const hosts = urls.map(({ hostname }) => hostname.replace(/^\[|\]$/g, ''));
  const addresses = hosts.filter((host) => isIP(host) !== 0);
  if (addresses.length === 0) return {};
  return {
    checkServerIdentity: (host, certificate) => {
      const names = host !== 'localhost' ? [host] : hosts.includes(host) ? [host, ...addresses] : addresses;
      const failures = names.map((name) => checkServerIdentity(name, certificate));
      return failures.includes(undefined) ? undefined : failures[0];
    },
  };
}

function credentialsOf(file: string): Pick<NatsAccess, 'authenticator'> {
  if (file === '') return {};
  const text = readSetting('engineCredentialsFile', file);
  const bytes = new TextEncoder();
  if (/^\s*SU[A-Z2-7]{56}\s*$/.test(text)) return { authenticator: nkeyAuthenticator(bytes.encode(text.trim())) };
  if (/BEGIN NATS USER JWT[^]*BEGIN USER NKEY SEED/.test(text)) {
    return { authenticator: credsAuthenticator(bytes.encode(text)) };
  }
  // What is in it may be a secret, and is not repeated.
  const message = `engineCredentialsFile: ${file} holds neither a .creds file of NATS nor the seed of a user's nkey (SU…)`;
  throw new Fault('config', message, { retryable: false });
}

/** Why NATS was not had, and what to do about it. Never says what the node showed to it (S29). */
export function refusalOf(error: unknown, access: NatsAccess = {}): string {
  const said = error instanceof Error ? error.message : String(error);
  const advice = tlsAdvice(error) ?? adviceOf(error, said, access);
  return advice === undefined ? said : `${said}: ${advice}`;
}

function adviceOf(error: unknown, said: string, { authenticator, token, user, tls }: NatsAccess): string | undefined {
  const name = error instanceof Error ? error.name : '';
  if (name === 'AuthorizationError' || name === 'UserAuthenticationExpiredError') {
    if (authenticator !== undefined) return 'NATS does not accept what is in engineCredentialsFile';
    if (token !== undefined) return 'NATS does not accept the token in engine';
    if (user !== undefined) return 'NATS does not accept the user and password in engine';
    return 'NATS asks who this node is: write nats://user:password@… or nats://token@… in engine, or set engineCredentialsFile';
  }
  if (/does not support 'tls'/.test(said)) {
    return 'it speaks no TLS, and nothing was shown to it: write nats:// and no engineCaFile, if that is meant';
  }
  if (name === 'TimeoutError' && tls !== undefined && tls !== null && tls.cert === undefined) {
    return 'it ended the TLS hand-shake or does not answer; where it asks for a certificate, set engineCertFile and engineKeyFile';
  }
  return undefined;
}

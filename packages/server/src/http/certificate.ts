import { readFile, stat } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Clock, Timer } from '../core/clock.ts';
import { Fault } from '../core/fault.ts';
import type { Log } from '../telemetry/telemetry.ts';

/** PEM files: the certificate with those that lead to its authority, and its key. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface CertificatePair {
  readonly cert: string;
  readonly key: string;
}

const checkIntervalMsDefault = 10_000;

/**
 * The certificate of a server, which is renewed while the node runs: its files are looked at every few seconds,
 * because those who renew them (certbot, a secret of Kubernetes) replace links, which is told to no watcher.
 */
export class Certificate {
  readonly #files: CertificateFiles;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #checkIntervalMs: number;
  #timer: Timer | undefined;
  /** When the files that are in use, or that were refused last, were changed. */
  #seen = '';
  #isClosed = false;

  constructor(
    files: CertificateFiles,
    { clock, log }: { readonly clock: Clock; readonly log: Log },
    checkIntervalMs = checkIntervalMsDefault,
  ) {
    this.#files = files;
    this.#clock = clock;
    this.#log = log;
    this.#checkIntervalMs = checkIntervalMs;
  }

  /** Throws `Fault` that says which file, or that the two do not belong together. */
  read(): CertificatePair {
    const { certFile, keyFile } = this.#files;
    const pair = { cert: readSetting('tlsCertFile', certFile), key: readSetting('tlsKeyFile', keyFile) };
    mustFit(pair, this.#files);
    return pair;
  }

  /** Calls `renewed` with each new pair that is sound; the one in use stays where it is not. */
  async watch(renewed: (pair: CertificatePair) => void): Promise<void> {
    this.#seen = await this.#changedAt();
    this.#schedule(renewed);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #schedule(renewed: (pair: CertificatePair) => void): void {
    if (this.#isClosed) return;
    this.#timer = this.#clock.after(this.#checkIntervalMs, () => {
      void this.#check(renewed).finally(() => this.#schedule(renewed));
    });
  }

  /** Never rejects. */
  async #check(renewed: (pair: CertificatePair) => void): Promise<void> {
    const { certFile, keyFile } = this.#files;
    const changedAt = await this.#changedAt();
    if (changedAt === this.#seen || this.#isClosed) return;
    try {
      const pair = { cert: await readFile(certFile, 'utf8'), key: await readFile(keyFile, 'utf8') };
      mustFit(pair, this.#files);
      renewed(pair);
      this.#log.info({ certFile }, 'the certificate was renewed');
    } catch (error) {
      // One of the two may have been replaced and the other not yet: its change is seen, too.
      this.#log.error({ error }, 'the new certificate cannot be used; the old one stays');
    }
    this.#seen = changedAt;
  }

  async #changedAt(): Promise<string> {
    const { certFile, keyFile } = this.#files;
    const times = await Promise.all(
      [certFile, keyFile].map((file) =>
        stat(file).then(
          ({ mtimeMs, ino }) => `${mtimeMs} ${ino}`,
          () => 'gone',
        ),
      ),
    );
    return times.join(', ');
  }
}

function readSetting(setting: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new Fault('config', `${setting}: ${file} cannot be read`, { retryable: false, cause });
  }
}

function mustFit(pair: CertificatePair, { certFile, keyFile }: CertificateFiles): void {
  try {
    createSecureContext(pair);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `tlsCertFile ${certFile} and tlsKeyFile ${keyFile} cannot be used together: ${reason}`;
    throw new Fault('config', message, { retryable: false, cause });
  }
}

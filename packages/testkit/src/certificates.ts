import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { requireService } from './services.ts';

/** Of a throw-away authority, or signed by one. PEM files. */
export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
}

const days = '2';

/** Why certificates cannot be made here, to skip tests by; undefined where they can. */
export async function certificatesMissing(): Promise<string | undefined> {
  const service = await requireService('openssl');
  return 'skip' in service ? service.skip : undefined;
}

/** Makes certificates that only those believe who are told to. */
export class TestAuthority {
  readonly certFile: string;
  readonly #folder: string;
  readonly #program: string;
  #made = 0;

  private constructor(folder: string, program: string) {
    this.#folder = folder;
    this.#program = program;
    this.certFile = join(folder, 'authority.pem');
  }

  /** In a folder of the test's. */
  static async make(folder: string): Promise<TestAuthority> {
    const service = await requireService('openssl');
    if ('skip' in service) throw new Error(service.skip);
    await mkdir(folder, { recursive: true });
    const authority = new TestAuthority(folder, service.path);
    authority.#openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', days],
      ...[
        '-keyout',
        join(folder, 'authority-key.pem'),
        '-out',
        authority.certFile,
        '-subj',
        '/CN=Tutti test authority',
      ],
    );
    return authority;
  }

  /** For `localhost` and the loopback address, or as said; another each time. */
  issue(names = 'DNS:localhost,IP:127.0.0.1'): Certificate {
    this.#made += 1;
    const name = `node-${this.#made}`;
    const certFile = join(this.#folder, `${name}.pem`);
    const keyFile = join(this.#folder, `${name}-key.pem`);
    this.#openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', days],
      ...['-CA', this.certFile, '-CAkey', join(this.#folder, 'authority-key.pem')],
      ...['-keyout', keyFile, '-out', certFile, '-subj', `/CN=${name}`],
      ...['-addext', `subjectAltName=${names}`, '-addext', 'basicConstraints=critical,CA:FALSE'],
    );
    return { certFile, keyFile };
  }

  /** This process believes it from now on: fetch and WebSocket have no option for one request. */
  trustHere(): void {
    setDefaultCACertificates([...getCACertificates('default'), readFileSync(this.certFile, 'utf8')]);
  }

  #openssl(...args: string[]): void {
    execFileSync(this.#program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  }
}

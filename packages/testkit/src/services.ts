import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/**
 * Real programs that some tests need. A test asks for one, and runs or is skipped by name:
 *
 *     const chromium = await requireService('chromium');
 *     test('two windows talk', 'skip' in chromium ? chromium : {}, async () => { … chromium.path … });
 *
 * The skip message begins with `service:`, by which the test script counts it as a failure where
 * services are required (TUTTI_REQUIRE_SERVICES=1).
 */
export type Service = { readonly path: string } | { readonly skip: string };

interface Source {
  /** Names of the program, the preferred first. */
  readonly programs: readonly string[];
  /** The Debian package that holds it. */
  readonly apt?: string;
  /** The Go module that builds it, with its pinned version. */
  readonly go?: string;
}

const sources: Record<string, Source> = {
  chromium: { programs: ['chromium', 'chromium-browser', 'google-chrome'], apt: 'chromium' },
  openssl: { programs: ['openssl'], apt: 'openssl' },
  curl: { programs: ['curl'], apt: 'curl' },
  nginx: { programs: ['nginx'], apt: 'nginx-light' },
  haproxy: { programs: ['haproxy'], apt: 'haproxy' },
  'redis-server': { programs: ['redis-server'], apt: 'redis-server' },
  'redis-cli': { programs: ['redis-cli'], apt: 'redis-tools' },
  // Distributions ship releases of years ago, which ignore stream options that the broker needs.
  'nats-server': { programs: ['nats-server'], go: 'github.com/nats-io/nats-server/v2@v2.15.2' },
};

/** Programs that were built for this project; looked into before PATH, where an old release may lie. */
const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'tutti', 'bin');
/** Servers are installed where only administrators look. */
const administratorFolders = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

export const serviceNames: readonly string[] = Object.keys(sources);

/** Looks in the cache and on PATH, then installs it where the process may. Never throws for a missing service. */
export async function requireService(name: string): Promise<Service> {
  const path = findService(name) ?? obtainService(name);
  if (path !== undefined) return { path };
  return { skip: `service: ${name} is not on PATH and could not be installed; ${howToInstall(name)}` };
}

/** What a person does who may install things, as the end of a sentence. */
export function howToInstall(name: string): string {
  const { apt, go } = sourceOf(name);
  const ways = [apt !== undefined && `apt-get install ${apt}`, go !== undefined && `GOBIN=${cache} go install ${go}`];
  return `install it so that it is on PATH (here: \`${ways.filter((way) => way !== false).join('` or `')}\`)`;
}

/** The program's path, or undefined where it is not here. Throws for a service it does not know. */
export function findService(name: string): string | undefined {
  const path = process.env['PATH'] ?? '';
  const folders = [cache, ...path.split(delimiter).filter((folder) => folder !== ''), ...administratorFolders];
  for (const program of sourceOf(name).programs) {
    const found = folders.map((folder) => join(folder, program)).find(isExecutable);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Builds it with Go, or installs its package where this process is root; returns the program's path. */
export function obtainService(name: string): string | undefined {
  const { apt, go } = sourceOf(name);
  if (go !== undefined) build(go);
  if (apt !== undefined) install(apt);
  return findService(name);
}

function build(module: string): void {
  spawnSync('go', ['install', module], {
    stdio: 'ignore',
    timeout: 300_000,
    env: { ...process.env, GOBIN: cache, GOFLAGS: '' },
  });
}

function install(packageName: string): void {
  if (process.getuid?.() !== 0) return;
  const options = {
    stdio: 'ignore',
    timeout: 300_000,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  } as const;
  const args = ['install', '-y', '--no-install-recommends', packageName];
  if (spawnSync('apt-get', args, options).status === 0) return;
  // A fresh image has no package lists.
  spawnSync('apt-get', ['update'], options);
  spawnSync('apt-get', args, options);
}

function sourceOf(name: string): Source {
  const source = sources[name];
  if (source === undefined) throw new Error(`no service is called ${name}; there are ${serviceNames.join(', ')}`);
  return source;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
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
  /** Names of the program on PATH, the preferred first. */
  readonly programs: readonly string[];
  /** The Debian package that holds it. */
  readonly apt: string;
}

const sources: Record<string, Source> = {
  chromium: { programs: ['chromium', 'chromium-browser', 'google-chrome'], apt: 'chromium' },
};

export const serviceNames: readonly string[] = Object.keys(sources);

/** Looks on PATH, then installs with apt-get where the process may. Never throws for a missing service. */
export async function requireService(name: string): Promise<Service> {
  const path = findService(name) ?? obtainService(name);
  return path === undefined ? { skip: `service: ${name} is not on PATH and could not be installed` } : { path };
}

/** The program's path, or undefined where PATH has none of its names. Throws for a service it does not know. */
export function findService(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  for (const program of sourceOf(name).programs) {
    const found = folders.map((folder) => join(folder, program)).find(isExecutable);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Installs the service's package where this process is root and apt-get is there; returns the program's path. */
export function obtainService(name: string): string | undefined {
  const { apt } = sourceOf(name);
  if (process.getuid?.() !== 0) return undefined;
  const options = {
    stdio: 'ignore',
    timeout: 300_000,
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  } as const;
  const install = ['install', '-y', '--no-install-recommends', apt];
  if (spawnSync('apt-get', install, options).status !== 0) {
    // A fresh image has no package lists.
    spawnSync('apt-get', ['update'], options);
    spawnSync('apt-get', install, options);
  }
  return findService(name);
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

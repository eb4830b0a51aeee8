import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './files.ts';

/**
 * `npm run advisories`: compares package-lock.json with docs/operations/advisories.json (S31). Nothing is
 * asked of the network, so that the check says the same everywhere; the table is kept by hand.
 */
export interface Advisory {
  package: string;
  /** `<1.2.3`, `=1.2.3`, or two bounds: `>=1.0.0 <1.2.3`. */
  vulnerable: string;
  id: string;
  what: string;
}

export interface LockedPackage {
  version?: string;
  integrity?: string;
  resolved?: string;
  link?: boolean;
  dev?: boolean;
}

type Lock = Readonly<Record<string, LockedPackage>>;

const registry = 'https://registry.npmjs.org/';

/** What is wrong with what is locked, one line each. */
export function lockProblems(lock: Lock, advisories: readonly Advisory[]): string[] {
  return Object.entries(lock).flatMap(([path, locked]) => {
    const name = path.split('node_modules/').at(-1) ?? '';
    // The project itself, and its packages.
    if (!path.includes('node_modules/') || locked.link === true) return [];
    const hashed = locked.integrity?.startsWith('sha512-') === true ? [] : [`${path} is locked without a SHA-512 hash`];
    // Where nothing is said it is the registry: npm was told to leave that out.
    const known = (locked.resolved ?? registry).startsWith(registry) ? [] : [`${path} does not come from ${registry}`];
    const hit = advisories.filter(
      (advisory) => advisory.package === name && isIn(locked.version ?? '', advisory.vulnerable),
    );
    const found = hit.map(({ id, what }) => `${path} ${locked.version}: ${what} (${id})`);
    return [...hashed, ...known, ...found];
  });
}

/** Packages that run with a node, those of other packages included. */
export function runtimePackages(lock: Lock): string[] {
  return Object.entries(lock)
    .filter(([path, { dev, link }]) => path.includes('node_modules/') && dev !== true && link !== true)
    .map(([path]) => path.split('node_modules/').at(-1) ?? '');
}

/** Throws where a bound is not understood: a mistake in the table must not pass for safety. */
export function isIn(version: string, bounds: string): boolean {
  return bounds.split(' ').every((bound) => {
    const match = /^(<|<=|=|>=|>)(\d+\.\d+\.\d+)$/.exec(bound);
    if (match === null) throw new Error(`"${bound}" is no bound of versions: write <1.2.3, =1.2.3 or >=1.2.3`);
    const order = compare(version, match[2] ?? '');
    return { '<': order < 0, '<=': order <= 0, '=': order === 0, '>=': order >= 0, '>': order > 0 }[match[1] ?? ''];
  });
}

/** A pre-release comes before its release. */
function compare(a: string, b: string): number {
  const numbers = (text: string): number[] => (text.split(/[-+]/)[0] ?? '').split('.').map(Number);
  const [left, right] = [numbers(a), numbers(b)];
  for (let i = 0; i < 3; i += 1) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return Number(b.includes('-')) - Number(a.includes('-'));
}

function main(): void {
  const read = (path: string): unknown => JSON.parse(readFileSync(join(root, path), 'utf8'));
  const { packages } = read('package-lock.json') as { packages: Lock };
  const { advisories, checked } = read('docs/operations/advisories.json') as {
    advisories: Advisory[];
    checked: string;
  };
  const problems = lockProblems(packages, advisories);
  for (const problem of problems) process.stdout.write(`${problem}\n`);
  const runtime = runtimePackages(packages).length;
  process.stdout.write(
    `${Object.keys(packages).length} packages, ${runtime} at run time; ${advisories.length} advisories of ${checked}; ${problems.length} problems\n`,
  );
  if (problems.length > 0) process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main();

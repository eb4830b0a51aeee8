import { execFileSync } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';

/** The repository's folder, without a slash at the end. */
export const root = join(import.meta.dirname, '..');

/**
 * Files that are, or are about to be, part of the repository (git's ignore rules hold), as paths
 * relative to its root, sorted. Without folders: all of it. In a tree without git, whatever is
 * there besides what tools put there.
 */
export function filesUnder(...folders: string[]): string[] {
  const found = existsSync(join(root, '.git')) ? listedByGit(folders) : listedByHand(folders);
  return [...new Set(found)].filter((file) => file !== '' && existsSync(join(root, file))).sort();
}

function listedByGit(folders: string[]): string[] {
  const options = ['-C', root, 'ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...folders];
  return execFileSync('git', options, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 }).split('\0');
}

function listedByHand(folders: string[]): string[] {
  const patterns = folders.length === 0 ? ['**/*.*'] : folders.map((folder) => `${folder}/**/*.*`);
  return globSync(patterns, { cwd: root, exclude: (name) => ['node_modules', 'dist', '.tutti'].includes(name) });
}

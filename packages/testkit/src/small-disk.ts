import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** The folder of a file system of 2 MB. Undefined, with the test skipped by name, where it cannot be had. */
export function smallDisk(context: TestContext): string | undefined {
  const mountPoint = mkdtempSync(join(tmpdir(), 'tutti-full-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'none', mountPoint], { encoding: 'utf8' });
  if (mounted.status === 0) {
    context.after(() => {
      // Lazily: hooks run in the order in which they were set, and a node may still have files open.
      spawnSync('umount', ['-l', mountPoint]);
      rmSync(mountPoint, { recursive: true });
    });
    return mountPoint;
  }
  rmSync(mountPoint, { recursive: true });
  context.skip(`needs a small file system of its own: ${mounted.stderr || String(mounted.error)}`);
  return undefined;
}

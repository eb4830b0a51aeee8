// Builds packages/dashboard into its dist/, where what it is made of has changed since the last time.
import { createHash } from 'node:crypto';
import { readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';
import { filesUnder, root } from './files.ts';

const folder = join(root, 'packages/dashboard');
const dist = join(folder, 'dist');
/** Holds the hash of the sources that dist was built from. */
const stamp = join(dist, '.built');
/** All scripts of the dashboard together, gzipped. */
const scriptBytesMax = 60 * 1024;

const started = performance.now();
const hash = await sourceHash();
if ((await readFile(stamp, 'utf8').catch(() => '')) === hash) {
  console.log('dashboard: up to date');
} else {
  await buildDashboard();
  const bytes = await scriptBytes();
  const size = `${(bytes / 1024).toFixed(1)} KiB of scripts, gzipped`;
  console.log(`dashboard: built in ${Math.round(performance.now() - started)} ms, ${size}`);
  if (bytes > scriptBytesMax) {
    console.error(`dashboard: above its bound of ${scriptBytesMax / 1024} KiB`);
    process.exitCode = 1;
  }
}

/** Of the files it is made of, their names, and the lock file, which names the versions of the rest. */
async function sourceHash(): Promise<string> {
  const sources = [...filesUnder('packages/dashboard', 'packages/client', 'packages/protocol'), 'package-lock.json'];
  const digest = createHash('sha256');
  for (const file of sources) {
    if (/\.(test|bench)\.tsx?$/.test(file) || file.includes('/dist/')) continue;
    const content = await readFile(join(root, file));
    digest.update(`${file}\0${content.length}\0`).update(content);
  }
  return digest.digest('hex');
}

/** Into a folder beside, then in place of the old: a server that runs meanwhile never finds half a build. */
async function buildDashboard(): Promise<void> {
  const fresh = join(root, 'node_modules/.cache/tutti/dashboard');
  await build({
    root: folder,
    configFile: join(folder, 'vite.config.ts'),
    logLevel: 'warn',
    build: { outDir: fresh, emptyOutDir: true },
  });
  await writeFile(join(fresh, '.built'), hash);
  await rm(dist, { recursive: true, force: true });
  await rename(fresh, dist);
}

async function scriptBytes(): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(dist, { recursive: true })) {
    if (entry.endsWith('.js')) bytes += gzipSync(await readFile(join(dist, entry)), { level: 9 }).length;
  }
  return bytes;
}

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join } from 'node:path';

export interface StaticFile {
  readonly bytes: Buffer;
  readonly type: string;
  readonly etag: string;
  readonly cacheControl: string;
}

const filesMax = 2_000;
const bytesMax = 64 * 1024 * 1024;
const checkIntervalMs = 1_000;
const indexName = '/index.html';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
};

/**
 * A built page, held in memory: a request path is looked up among names that were listed beforehand,
 * so no path, however written, reaches another file. Symbolic links are left out for the same reason.
 * A new build is noticed by its index.html, within a second.
 */
export class StaticFiles {
  readonly #root: string;
  readonly #monotonic: () => number;
  #files = new Map<string, StaticFile>();
  #builtAtMs = 0;
  #checkedAtMs = Number.NEGATIVE_INFINITY;

  constructor(root: string, monotonic: () => number) {
    this.#root = root;
    this.#monotonic = monotonic;
  }

  /** By decoded request path, such as `/assets/a.js`. */
  get(path: string): StaticFile | undefined {
    this.#refresh();
    return this.#files.get(path === '/' ? indexName : path);
  }

  get isBuilt(): boolean {
    this.#refresh();
    return this.#files.has(indexName);
  }

  #refresh(): void {
    const nowMs = this.#monotonic();
    if (nowMs - this.#checkedAtMs < checkIntervalMs) return;
    this.#checkedAtMs = nowMs;
    try {
      const builtAtMs = statSync(join(this.#root, indexName)).mtimeMs;
      if (builtAtMs === this.#builtAtMs) return;
      this.#files = readTree(this.#root);
      this.#builtAtMs = builtAtMs;
    } catch {
      // Not built, or being built at this moment: what was read before stays until there is something newer.
    }
  }
}

function readTree(root: string): Map<string, StaticFile> {
  const files = new Map<string, StaticFile>();
  const folders = [''];
  let bytes = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory()) folders.push(path);
      if (!entry.isFile()) continue;
      const file = readStaticFile(join(root, path), path);
      bytes += file.bytes.length;
      if (files.size >= filesMax || bytes > bytesMax) return files;
      files.set(path, file);
    }
  }
  return files;
}

function readStaticFile(name: string, path: string): StaticFile {
  const bytes = readFileSync(name);
  return {
    bytes,
    type: types[extname(path).toLowerCase()] ?? 'application/octet-stream',
    etag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 27)}"`,
    // The build puts a hash of the content into the names under /assets/.
    cacheControl: path.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
  };
}

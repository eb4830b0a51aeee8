import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { extname, join } from 'node:path';
import { filesUnder, root } from './files.ts';
import { findings } from './tidy-rules.ts';

/** `npm run tidy`: the house style as far as a machine can see it. Each finding names the better way. */
const textual = new Set([
  '.ts',
  '.tsx',
  '.js',
  '.cjs',
  '.mjs',
  '.md',
  '.json',
  '.yaml',
  '.yml',
  '.css',
  '.html',
  '.sql',
  '',
]);
const machinePaths = [root, homedir()].filter((path) => path.split('/').length > 2);

let count = 0;
for (const file of filesUnder()) {
  if (!textual.has(extname(file)) || file === 'package-lock.json') continue;
  for (const finding of findings(file, readFileSync(join(root, file), 'utf8'), machinePaths)) {
    count += 1;
    process.stdout.write(`${file}${finding}\n`);
  }
}
process.stdout.write(count === 0 ? 'tidy\n' : `${count} findings\n`);
process.exitCode = count === 0 ? 0 : 1;

// Bundles the SDK as a browser would get it, and fails where it has grown beyond its bound.
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'vite';

const gzipBytesMax = 12 * 1024;

async function bundle(entry: string): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      target: 'es2022',
      lib: { entry: fileURLToPath(new URL(entry, import.meta.url)), formats: ['es'], fileName: 'client' },
      // Said here because Vite leaves the white space in ES libraries for the site's own build to take out.
      rolldownOptions: { output: { minify: true } },
    },
  });
  const [output] = Array.isArray(result) ? result : [result];
  if (output === undefined || !('output' in output)) throw new Error('the bundler gave no output');
  return output.output.map((chunk) => (chunk.type === 'chunk' ? chunk.code : '')).join('');
}

async function report(name: string, entry: string): Promise<number> {
  const code = await bundle(entry);
  const gzipBytes = gzipSync(code, { level: 9 }).length;
  console.log(`${name}: ${gzipBytes} bytes gzipped (${code.length} minified)`);
  return gzipBytes;
}

const gzipBytes = await report('@tutti/client', '../packages/client/src/index.ts');
await report('@tutti/client/protobuf', '../packages/client/src/protobuf.ts');
if (gzipBytes > gzipBytesMax) {
  console.error(`@tutti/client is ${gzipBytes - gzipBytesMax} bytes above its bound of ${gzipBytesMax}`);
  process.exitCode = 1;
}

// Preloaded (`node --import`) by the npm scripts. Plain JavaScript, because the Node that needs this
// message is one that cannot read TypeScript.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major < 22 || (major === 22 && minor < 18)) {
  process.stderr.write(
    [
      `Tutti runs TypeScript as written: that needs Node 22.18 or newer, and this is ${process.version}.`,
      '`npm ci` puts Node 24 into node_modules; start things through npm (`npm start`, `npm test`) to use it,',
      'or put node_modules/.bin first in PATH. If npm was told to ignore scripts: `npm rebuild node`.',
      '',
    ].join('\n'),
  );
  process.exit(1);
}

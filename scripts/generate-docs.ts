import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decisionOf, renderDecisionIndex } from './decision-index.ts';
import { filesUnder, root } from './files.ts';

/**
 * `npm run docs`: writes the pages that follow from code, so that they cannot drift from it.
 * `--check` writes nothing and fails where one is out of date.
 */
interface Page {
  path: string;
  render: () => Promise<string>;
}

const pages: Page[] = [
  {
    path: 'docs/spec/errors.md',
    render: async () => (await import('../packages/protocol/src/errors-page.ts')).renderErrorsPage(),
  },
  {
    path: 'docs/operations/configuration.md',
    render: async () => (await import('../packages/server/src/config/configuration-page.ts')).renderConfigurationPage(),
  },
  {
    path: 'docs/operations/metrics.md',
    render: async () => (await import('../packages/server/src/telemetry/metrics-page.ts')).renderMetricsPage(),
  },
  {
    path: 'docs/operations/security.md',
    render: async () => (await import('../tests/security/threats-page.ts')).renderThreatsPage(),
  },
  { path: 'docs/decisions/README.md', render: async () => renderDecisionIndex(decisions()) },
];

function decisions(): ReturnType<typeof decisionOf>[] {
  return filesUnder('docs/decisions')
    .filter((file) => /\/\d{4}-[^/]+[.]md$/.test(file))
    .filter((file) => !file.includes('/0000-'))
    .map((file) => decisionOf(file.slice(file.lastIndexOf('/') + 1), readFileSync(join(root, file), 'utf8')));
}

const checking = process.argv.includes('--check');
for (const { path, render } of pages) {
  const file = join(root, path);
  const wanted = await render();
  const current = existsSync(file) ? readFileSync(file, 'utf8') : '';
  if (current === wanted) continue;
  if (checking) {
    process.exitCode = 1;
    process.stdout.write(`${path} is out of date: npm run docs\n`);
  } else {
    writeFileSync(file, wanted);
    process.stdout.write(`wrote ${path}\n`);
  }
}

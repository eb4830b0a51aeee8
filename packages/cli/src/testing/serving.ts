import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

import { RunningCommand } from './run-command.ts';

/** For tests: `tutti serve` in a folder of its own, with this configuration, until the test ends. */
export async function serving(t: TestContext, configuration: string): Promise<{ cwd: string; url: string }> {
  const cwd = mkdtempSync(join(tmpdir(), 'tutti-serving-'));
  writeFileSync(join(cwd, 'tutti.config.json'), configuration);
  const server = new RunningCommand(['serve', '--port', '0', '--json'], { cwd });
  t.after(async () => {
    server.kill('SIGKILL');
    await server.finished();
    rmSync(cwd, { recursive: true });
  });
  const [, url = ''] = await server.printed(/"type":"listening","url":"([^"]+)"/);
  return { cwd, url };
}

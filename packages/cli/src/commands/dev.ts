import { join } from 'node:path';

import { withDevApiKey, withDevSecret, type Settings } from '@tutti/server/config';
import type { Command } from 'commander';

import { banner } from '../banner.ts';
import { CliError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { demoMethods, startDemo } from '../demo.ts';
import { soundConfig } from '../local-config.ts';
import { runServer } from '../run-server.ts';
import { addSettingsFlags } from '../settings-flags.ts';

export function devCommand(command: Command, context: Context): void {
  const dev = command
    .command('dev')
    .description(
      'run a node on this machine for development: insecure, loopback only, with namespaces and a ticker to play with',
    )
    .option('--no-demo', 'without the ticker and the demo methods');
  addSettingsFlags(dev).action(async (flags: Record<string, unknown>) => {
    const output = context.output();
    const config = await soundConfig('dev', flags, context, output);
    const settings = withKeys(config.settings);
    const isDemo = flags['demo'] !== false && settings.namespaces.has('ticker');
    const rpc = isDemo ? { ...demoMethods, ...config.rpc } : config.rpc;
    await runServer({ settings, rpc, hooks: config.hooks, prettyLog: !output.json, output }, (server) => {
      output.result(
        { type: 'listening', url: server.url, insecure: settings.insecure },
        banner(server.url, settings, isDemo, output),
      );
      return isDemo ? startDemo(server) : undefined;
    });
  });
}

function withKeys(settings: Settings): Settings {
  try {
    return withDevApiKey(withDevSecret(settings, { create: true }), { create: true });
  } catch (error) {
    throw new CliError(
      `the data folder ${join(settings.dataDir)} cannot be used: ${error instanceof Error ? error.message : String(error)}`,
      {
        remedies: ['Choose another with --data-dir or TUTTI_DATA_DIR.'],
        cause: error,
      },
    );
  }
}

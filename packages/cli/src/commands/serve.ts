import type { Command } from 'commander';

import type { Context } from '../context.ts';
import { soundConfig } from '../local-config.ts';
import { runServer } from '../run-server.ts';
import { addSettingsFlags } from '../settings-flags.ts';

export function serveCommand(command: Command, context: Context): void {
  const serve = command.command('serve').description('run a node that others can reach; asks every client for a token');
  addSettingsFlags(serve).action(async (flags: Record<string, unknown>) => {
    const output = context.output();
    const config = await soundConfig('serve', flags, context, output);
    if (config.settings.namespaces.size === 0)
      output.warn('no namespaces are configured, so there is no channel (option namespaces)');
    if (config.settings.host === '127.0.0.1')
      output.note('reached from this machine only; --host 0.0.0.0 opens it to the network');
    const { settings, rpc, hooks } = config;
    await runServer({ settings, rpc, hooks, prettyLog: !output.json && process.stderr.isTTY, output }, (server) => {
      output.result(
        { type: 'listening', url: server.url },
        `${output.paint(['bold', 'green'], 'tutti')} listens at ${server.url}`,
      );
    });
  });
}

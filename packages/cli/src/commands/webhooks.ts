import { replayWebhooks } from '@tutti/server';
import type { Command } from 'commander';

import { CliError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { anyConfig } from '../local-config.ts';
import { addSettingsFlags } from '../settings-flags.ts';

export function webhooksCommand(command: Command, context: Context): void {
  const webhooks = command.command('webhooks').description('look after what webhooks were not given');
  const replay = webhooks
    .command('replay [webhook]')
    .description('offer the dead letters of one webhook, or of all, again; the node may run meanwhile');
  addSettingsFlags(replay, ['dataDir']).action((webhook: string | undefined, flags: Record<string, unknown>) =>
    replayDeadLetters(webhook, flags, context),
  );
}

async function replayDeadLetters(
  name: string | undefined,
  flags: Record<string, unknown>,
  context: Context,
): Promise<void> {
  const output = context.output();
  // Mode `dev` asks for least: a node of either kind may have left them.
  const { settings } = await anyConfig('dev', flags, context);
  const names = settings.webhooks.map((webhook) => webhook.name);
  if (name !== undefined && !names.includes(name)) {
    throw new CliError(`no webhook is called ${name}`, {
      remedies: [names.length === 0 ? 'None is configured.' : `There are: ${names.join(', ')}.`],
    });
  }
  if (names.length === 0) throw new CliError('no webhook is configured', { remedies: ['Set webhooks.'] });
  const reports = await replayWebhooks(settings, name);
  for (const { webhook, delivered, left, problem } of reports) {
    const rest = left === 0 ? '' : `, ${left} left: ${problem ?? ''}`;
    output.result(
      { type: 'replayed', webhook, delivered, left, ...(problem === undefined ? {} : { problem }) },
      `${webhook}: ${delivered} delivered${rest}`,
    );
  }
  const failed = reports.filter(({ left }) => left > 0).map(({ webhook }) => webhook);
  if (failed.length === 0) return;
  throw new CliError(`events are left of ${failed.join(', ')}`, {
    remedies: ['They are kept. Run this again when the receiver takes them.'],
  });
}

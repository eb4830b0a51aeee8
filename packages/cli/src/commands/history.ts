import type { Command } from 'commander';

import { usageError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { addLinkFlags, withServer } from '../server-link.ts';
import { showPublication } from '../show-publication.ts';

interface Flags {
  limit: string;
  reverse?: boolean;
  since?: string;
}

export function historyCommand(command: Command, context: Context): void {
  addLinkFlags(
    command
      .command('history')
      .description('print the kept publications of a channel')
      .argument('<channel>', 'such as chat:general')
      .option('--limit <n>', 'most publications to print', '100')
      .option('--reverse', 'newest first')
      .option('--since <epoch:offset>', 'only those after this position (before it, with --reverse)'),
  ).action(async (channel: string, flags: Flags) => {
    if (!/^\d{1,6}$/.test(flags.limit)) throw usageError('--limit must be a whole number; 0 prints the position alone');
    const output = context.output();
    const options = {
      limit: Number(flags.limit),
      ...(flags.reverse ? { reverse: true } : {}),
      ...sinceOf(flags.since),
    };
    const page = await withServer({ ...flags }, context, { verb: 'history', channels: [channel] }, (client) =>
      client.history(channel, options),
    );
    for (const publication of page.publications) showPublication(publication, output);
    const { offset, epoch } = page;
    if (output.json) output.result({ type: 'position', channel, offset, epoch }, '');
    else output.note(`${page.publications.length} shown; the channel is at ${epoch}:${offset}`);
  });
}

function sinceOf(since: string | undefined): { since?: { epoch: string; offset: number } } {
  if (since === undefined) return {};
  const match = /^(.+):(\d{1,15})$/.exec(since);
  if (match === null) throw usageError('--since must be EPOCH:OFFSET, as the last line of `tutti history` prints it');
  return { since: { epoch: match[1] ?? '', offset: Number(match[2]) } };
}

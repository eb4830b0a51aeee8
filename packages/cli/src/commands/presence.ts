import type { Command } from 'commander';

import type { Context } from '../context.ts';
import { plain } from '../output.ts';
import { addLinkFlags, withServer } from '../server-link.ts';

export function presenceCommand(command: Command, context: Context): void {
  addLinkFlags(
    command
      .command('presence')
      .description('who is in a channel')
      .argument('<channel>', 'such as chat:general')
      .option('--stats', 'only how many'),
  ).action(async (channel: string, flags: { stats?: boolean }) => {
    const output = context.output();
    await withServer({ ...flags }, context, { verb: 'presence', channels: [channel] }, async (client) => {
      if (flags.stats !== true) {
        const members = Object.values(await client.presence(channel));
        if (members.length === 0) output.note(`nobody is in ${plain(channel)}`);
        for (const { user, client: id, conn_info: info } of members) {
          const name = output.paint('green', plain(user === '' ? 'anonymous' : user));
          const shownInfo = info === undefined ? '' : ` ${plain(JSON.stringify(info))}`;
          output.result(
            { type: 'member', channel, user, client: id, ...(info === undefined ? {} : { info }) },
            `${name} ${output.dim(id)}${shownInfo}`,
          );
        }
        return;
      }
      const { clients, users } = await client.presenceStats(channel);
      output.result({ type: 'presence', channel, clients, users }, `${clients} connections of ${users} users`);
    });
  });
}

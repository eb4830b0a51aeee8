import type { Seen } from '@tutti/api';
import type { Command } from 'commander';

import { addApiFlags, withApi } from '../api-link.ts';
import { usageError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { plain } from '../output.ts';

interface Flags {
  remove?: boolean;
  tenant?: string;
}

/** What the API takes in one call. */
const usersMax = 1_000;

export function lastSeenCommand(command: Command, context: Context): void {
  addApiFlags(
    command
      .command('last-seen')
      .description('which users are connected, and when the others last were')
      .argument('<user...>', 'names of users')
      .option('--remove', 'forget when they were last connected, instead; of those who still are it is kept anew'),
  ).action(async (users: string[], flags: Flags) => {
    const output = context.output();
    if (users.length > usersMax) throw usageError(`at most ${usersMax} users at once`);
    if (flags.remove === true) {
      await withApi({ ...flags }, context, 'last_seen_remove', async (api) => {
        for (const user of users) {
          await api.lastSeenRemove(user);
          output.result({ type: 'forgotten', user }, `forgot when ${plain(user)} was last seen`);
        }
      });
      return;
    }
    const found = await withApi({ ...flags }, context, 'last_seen', (api) => api.lastSeen(users));
    for (const [user, seen] of Object.entries(found)) {
      const name = output.paint('green', plain(user));
      output.result({ type: 'seen', user, ...seen }, `${name} ${shown(seen)}`);
    }
  });
}

function shown({ online, last_seen: lastSeen }: Seen): string {
  if (online) return 'online';
  return lastSeen === undefined ? 'never seen, or forgotten' : `last seen ${new Date(lastSeen).toISOString()}`;
}

import type { Revoked } from '@tutti/api';
import type { Command } from 'commander';

import { addApiFlags, withApi } from '../api-link.ts';
import { usageError } from '../cli-error.ts';
import type { Context } from '../context.ts';
import { plain } from '../output.ts';

interface Flags {
  user?: string;
  token?: string;
  client?: string;
  issuedBefore?: string;
  expireAt?: string;
  tenant?: string;
}

export function revokeCommand(command: Command, context: Context): void {
  addApiFlags(
    command
      .command('revoke')
      .description(
        'end what a user, a token or a connection was allowed, and keep it from coming back with the same token',
      )
      .option('--user <name>', 'all that the user was given until now')
      .option('--token <jti>', 'one token, by its claim jti')
      .option('--client <id>', 'one connection, by its client id, and the token that it came with')
      .option('--issued-before <seconds>', 'with --user: tokens with a later iat stay good; seconds since 1970')
      .option('--expire-at <seconds>', 'with --token: when it expires by itself, so that this can be forgotten'),
  ).action(async (flags: Flags) => {
    const [whom, line] = revocationOf(flags);
    await withApi({ ...flags }, context, 'revoke', (api) => api.revoke(whom));
    const { tenant } = flags;
    context.output().result({ type: 'revoked', ...whom, ...(tenant === undefined ? {} : { tenant }) }, line);
  });
}

/** What to revoke, and how to say that it is done. Throws a usage error. */
function revocationOf({ user, token, client, issuedBefore, expireAt }: Flags): [Revoked, string] {
  if ([user, token, client].filter((subject) => subject !== undefined).length !== 1)
    throw usageError('revoke needs exactly one of --user, --token and --client');
  if (issuedBefore !== undefined && user === undefined) throw usageError('--issued-before goes with --user');
  if (expireAt !== undefined && token === undefined) throw usageError('--expire-at goes with --token');
  if (user !== undefined) {
    const before = secondsOf('--issued-before', issuedBefore);
    const until = before === undefined ? 'now' : new Date(before * 1_000).toISOString();
    const whom = { user, ...(before === undefined ? {} : { issued_before: before }) };
    return [whom, `revoked all that user ${plain(user)} was given until ${until}`];
  }
  if (token !== undefined) {
    const end = secondsOf('--expire-at', expireAt);
    return [{ jti: token, ...(end === undefined ? {} : { expire_at: end }) }, `revoked token ${plain(token)}`];
  }
  return [{ client: client ?? '' }, `revoked connection ${plain(client ?? '')} and its token`];
}

function secondsOf(flag: string, written: string | undefined): number | undefined {
  if (written === undefined) return undefined;
  if (!/^\d{1,11}$/.test(written)) throw usageError(`${flag} must be whole seconds since 1970, such as 1900000000`);
  return Number(written);
}
